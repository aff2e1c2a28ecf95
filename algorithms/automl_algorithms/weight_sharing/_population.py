"""A population that finishes a search: what its rewards left open is decided by trainings.

One step, or a few, show a learning rate and no weight decay, for that pays off late (Wu et al.
2018, short-horizon bias). So members fork from the shared weights, alike but in the decisions
that are open, and each goes on training by itself, on the same batches and with the same noise.
Of n members the better half goes on, until two are left at the end of the schedule: successive
halving (Jamieson & Talwalkar 2016), where each rung costs as much as every other, or members stay
longer if trainings are left to spend.

A member need not begin from scratch: what a wrong weight decay left in the weights, a right one
undoes within 1 / (learning rate * weight decay) steps, or it would be of no use in a training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, Final

import torch
from torch import Tensor

from automl_algorithms.weight_sharing._evidence import Evidence
from automl_algorithms.weight_sharing._halving import rungs
from automl_algorithms.weight_sharing.search import Batch, Diverged, Moment, SupernetSearch
from automl_spaces.decisions import Decisions

JUDGED_ON: Final = 16  # validation batches, the same for all members


class Member:
    """A training of its own: a record, and its weights, buffers and optimiser's state.

    Attributes:
        tensors: of the parameters and then the buffers of the model, in its order.
        states: of its optimiser, by the number of the parameter.
        reward: when it was judged last; -inf once it is ruined.
    """

    def __init__(
        self, record: Decisions, tensors: list[Tensor], states: dict[int, dict[str, Any]]
    ) -> None:
        self.record, self.tensors, self.states = record, tensors, states
        self.reward = 0.0


class Population:
    """Trainings that fork from a search's shared weights, and are halved.

    Between its steps the program has the weights of the best member.

    Args:
        search: whose supernet it is.
        records: one for each member.
        open: the indices of the points in which they differ.
        begin: the step of the search in which they fork.
        trainings: that they may cost, each as long as the search.

    Attributes:
        members: that are left, the best first as they were judged last.
        evidence: for what they differ in: advantages over the mean of all members on a batch; of
            several decisions, over the mean of all on all batches of the first rung.
    """

    def __init__(
        self,
        search: SupernetSearch,
        records: Sequence[Decisions],
        open: frozenset[int],
        begin: int,
        trainings: float,
    ) -> None:
        self.search, self.net, self.open = search, search.net, open
        self.begin, self.trainings, self.count = begin, trainings, len(records)
        self.evidence = Evidence()
        self.members = [self._fork(record) for record in records]

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """One step of each member; at the end of a rung the better half goes on.

        Raises:
            Diverged: all are ruined.
        """
        losses = self._train(train)
        members = len(losses)
        for rung in rungs(self.count, self.begin, at.steps, self.trainings):
            if at.step + 1 == rung.end:
                self._judge(valid, rung.keep)
        self._lead()
        return {"loss": losses[0], "members": float(members)}

    def policy(self) -> dict[int, list[float]]:
        """For each point in which members differ, the share of each candidate among them."""
        found = {}
        for index in sorted(self.open):
            point, size = self.net.space.points[index], self.net.gates[index].size
            values = [member.record.values[index] for member in self.members]
            places = [point.place(value) for value in values if value is not None]
            if places:
                found[index] = [places.count(place) / len(places) for place in range(size)]
        return found

    def found(self) -> dict[str, float]:
        """As `evidence/<index>`, how well the best member's candidates are backed."""
        record = self.members[0].record
        values = {index: record.values[index] for index in sorted(self.open)}
        points = self.net.space.points
        return {
            f"evidence/{index}": self.evidence.of(index, points[index].place(value))
            for index, value in values.items()
            if value is not None
        }

    def state_dict(self) -> dict[str, Any]:
        """Every member as a whole."""
        return {
            "open": sorted(self.open),
            "begin": (self.begin, self.count, self.trainings),
            "evidence": self.evidence.state_dict(),
            "members": [(m.record.to_json(), m.tensors, m.states, m.reward) for m in self.members],
        }

    @classmethod
    def of_state(cls, search: SupernetSearch, state: dict[str, Any]) -> Population:
        """As it was, in the program too."""
        begin, count, trainings = state["begin"]
        made = cls(search, [], frozenset(state["open"]), begin, trainings)
        made.count = count
        made.evidence.load_state_dict(state["evidence"])
        for text, tensors, states, reward in state["members"]:
            member = Member(search.net.space.decode(text), list(tensors), dict(states))
            member.reward = reward
            made.members.append(member)
        made._lead()
        return made

    def _train(self, batch: Batch) -> list[float]:
        """The losses of the members that are not ruined."""
        noise = torch.get_rng_state()
        losses = []
        for member in self._alive():
            torch.set_rng_state(noise)  # dropout is the same for all
            self._enter(member)
            try:
                losses.append(self.search.train_weights(batch))
            except Diverged:
                member.reward = -math.inf
            self._leave(member)
        self._alive()
        return losses

    def _judge(self, valid: Callable[[], Batch], keep: int) -> None:
        """Only the best are kept."""
        batches = [valid() for _ in range(JUDGED_ON)]
        alive = self._alive()
        rewards = []
        for member in alive:
            self._enter(member)
            rewards.append([self.search.reward(batch) for batch in batches])
            self._leave(member)
            total = sum(rewards[-1])
            member.reward = total / len(batches) if math.isfinite(total) else -math.inf
        sane = [pair for pair in zip(alive, rewards, strict=True) if pair[0].reward > -math.inf]
        means = [sum(column) / len(sane) for column in zip(*(r for _, r in sane), strict=True)]
        for member, found in sane:
            advantages = [reward - mean for reward, mean in zip(found, means, strict=True)]
            if len(self.open) > 1:
                # Members differ in more than one decision: each is one observation, once.
                advantages = [fmean(advantages)] if len(self.members) == self.count else []
            for advantage in advantages:
                self.evidence.take(member.record, advantage, self.open)
        # The sort is stable: among equals the one that was better before stays so.
        self.members = sorted(self.members, key=lambda each: -each.reward)[:keep]

    def _alive(self) -> list[Member]:
        alive = [member for member in self.members if member.reward > -math.inf]
        if not alive:
            raise Diverged("every member of the population is ruined")
        return alive

    def _lead(self) -> None:
        self._enter(self._alive()[0])

    def _fork(self, record: Decisions) -> Member:
        self.net.choose(record)
        member = Member(record, [], {})
        self._leave(member)
        tensors = [tensor.clone() for tensor in member.tensors]
        states = {
            number: {key: _copied(value) for key, value in state.items()}
            for number, state in member.states.items()
        }
        return Member(record, tensors, states)

    def _enter(self, member: Member) -> None:
        """The program goes on where the member stands."""
        self.net.choose(member.record)
        model, optimizer = self.net.model, self.net.program.optimizer
        for tensor, data in zip(
            [*model.parameters(), *model.buffers()], member.tensors, strict=True
        ):
            tensor.data = data
        weights = list(model.parameters())
        optimizer.state.clear()
        optimizer.state.update({weights[n]: state for n, state in member.states.items()})

    def _leave(self, member: Member) -> None:
        """The member stands where the program does; nothing is copied."""
        model, state = self.net.model, self.net.program.optimizer.state
        member.tensors = [tensor.data for tensor in (*model.parameters(), *model.buffers())]
        weights = enumerate(model.parameters())
        member.states = {n: state[weight] for n, weight in weights if weight in state}


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
