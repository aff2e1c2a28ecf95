"""A population that finishes a search: what its rewards left open is decided by trainings.

One step, or a few, show a learning rate and no weight decay, for that pays off late (Wu et al.
2018, short-horizon bias). So members begin alike but in the decisions that are open, and each goes
on training by itself, on the same batches and with the same noise. Of n members the better half
goes on, until two are left at the end of the schedule: successive halving (Jamieson & Talwalkar
2016), where each rung costs as much as every other, or members stay longer if trainings are left to
spend.

A member is judged by the mean of its latest weights, which tells what it would come to if its
learning rate fell to zero here (Izmailov et al. 2018, arXiv 1803.05407; Sandler et al. 2023, arXiv
2301.02312). Rungs end where the rate is high: weights swing by points from step to step there, and
most where the weight decay is high that will be the best in the end.

Members may fork from the shared weights, which saves them the beginning of a training: what a
wrong weight decay left in the weights, a right one undoes within 1 / (learning rate * weight decay)
steps. But a decay with which nothing is ever learned may be the best of all for a network that has
learned already. Members with the steps for it begin anew.
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
from automl_algorithms.weight_sharing._temporary import copied
from automl_algorithms.weight_sharing.search import Batch, Diverged, Moment, SupernetSearch
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions

JUDGED_ON: Final = 16  # validation batches, the same for all members
LATEST: Final = 8.0
"""The larger, the fewer of its steps a mean is about: roughly one in so many and one."""


class Member:
    """A training of its own: a record, and its weights, buffers and optimiser's state.

    Attributes:
        tensors: of the parameters and then the buffers of the model, in its order.
        states: of its optimiser, by the number of the parameter.
        mean: of its parameters over its steps, the latest counting most; empty before the first.
        steps: that it has made.
        reward: when it was judged last; -inf once it is ruined.
    """

    def __init__(
        self, record: Decisions, tensors: list[Tensor], states: dict[int, dict[str, Any]]
    ) -> None:
        self.record, self.tensors, self.states = record, tensors, states
        self.mean: list[Tensor] = []
        self.steps = 0
        self.reward = 0.0

    def average(self, count: int) -> None:
        """Let the parameters, its first `count` tensors, count in the mean after a step.

        That is polynomial-decay averaging (Shamir & Zhang 2013, section 4).
        """
        latest = self.tensors[:count]
        self.steps += 1
        if not self.mean:
            self.mean = [tensor.clone() for tensor in latest]
        weight = (LATEST + 1) / (LATEST + self.steps)
        for mean, tensor in zip(self.mean, latest, strict=True):
            mean.lerp_(tensor, weight)

    @classmethod
    def anew(cls, record: Decisions, initial: Sequence[Tensor]) -> Member:
        """With copies of initial weights and buffers, and an optimiser without a past."""
        return cls(record, [tensor.clone() for tensor in initial], {})

    @classmethod
    def forked(cls, record: Decisions, net: Supernet) -> Member:
        """With copies of all that a program has now, which is then at this record."""
        net.choose(record)
        states = {number: copied(state) for number, state in _states(net).items()}
        return cls(record, [tensor.clone() for tensor in tensors_of(net)], states)


class Population:
    """Trainings beside each other, which are halved.

    Between its steps the program has the weights of the best member.

    Args:
        search: whose supernet it is.
        members: that it begins with; they have nothing in common.
        open: the indices of the points in which they differ.
        begin: the step of the search in which they begin.
        trainings: that they may cost, each as long as the search.

    Attributes:
        members: that are left, the best first as they were judged last.
        evidence: for what they differ in: advantages over the mean of all members on a batch; of
            several decisions, over the mean of all on all batches of the first rung.
    """

    def __init__(
        self,
        search: SupernetSearch,
        members: Sequence[Member],
        open: frozenset[int],
        begin: int,
        trainings: float,
    ) -> None:
        self.search, self.net, self.open = search, search.net, open
        self.begin, self.trainings, self.count = begin, trainings, len(members)
        self.evidence = Evidence()
        self.members = list(members)
        self._weights = list(self.net.model.parameters())  # to go through all modules takes time

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
            "members": [
                (m.record.to_json(), m.tensors, m.states, m.mean, m.steps, m.reward)
                for m in self.members
            ],
        }

    @classmethod
    def of_state(cls, search: SupernetSearch, state: dict[str, Any]) -> Population:
        """As it was, in the program too."""
        begin, count, trainings = state["begin"]
        members = []
        for text, tensors, states, mean, steps, reward in state["members"]:
            member = Member(search.net.space.decode(text), list(tensors), dict(states))
            member.mean, member.steps, member.reward = list(mean), steps, reward
            members.append(member)
        made = cls(search, members, frozenset(state["open"]), begin, trainings)
        made.count = count
        made.evidence.load_state_dict(state["evidence"])
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
            member.average(len(self._weights))
        self._alive()
        return losses

    def _judge(self, valid: Callable[[], Batch], keep: int) -> None:
        """Only the best are kept."""
        batches = [valid() for _ in range(JUDGED_ON)]
        alive = self._alive()
        rewards = []
        for member in alive:
            latest = member.tensors
            member.tensors = [*member.mean, *latest[len(member.mean) :]]
            self._enter(member)
            rewards.append([self.search.reward(batch) for batch in batches])
            member.tensors = latest
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

    def _enter(self, member: Member) -> None:
        """The program goes on where the member stands."""
        self.net.choose(member.record)
        model, optimizer = self.net.model, self.net.program.optimizer
        weights = self._weights
        for tensor, data in zip((*weights, *model.buffers()), member.tensors, strict=True):
            tensor.data = data
        optimizer.state.clear()
        optimizer.state.update({weights[n]: state for n, state in member.states.items()})

    def _leave(self, member: Member) -> None:
        """The member stands where the program does; nothing is copied."""
        member.tensors, member.states = tensors_of(self.net), _states(self.net)


def tensors_of(net: Supernet) -> list[Tensor]:
    """The parameters and then the buffers of a program's model; nothing is copied."""
    return [tensor.data for tensor in (*net.model.parameters(), *net.model.buffers())]


def _states(net: Supernet) -> dict[int, dict[str, Any]]:
    """Those that a program's optimiser has of parameters, by their numbers."""
    state = net.program.optimizer.state
    return {n: state[weight] for n, weight in enumerate(net.model.parameters()) if weight in state}
