"""AutoHAS: architecture and hyperparameters in one search, by the worth of a temporary step.

Dong et al. 2020 (arXiv 2006.03656). A record (a, h) is an architecture and the hyperparameters of
its training. To judge one, the shared weights W take a step with it that is not kept:

    W' = one step from W on a training batch, with a and h
    R  = quality of W' with a on a validation batch
    ascend (R - b) grad log p(a, h)

and then W takes its own step. Alternation, temporary weights and reward are the paper's; it was
published without code, and what else there is (baseline, warm-up, costs) is TuNAS's.

Before the policy moves, and in decisions whose turn it is not, h is the static program's. Hence
what is learned of h is its worth from there on and within `horizon` steps, so that what pays off
late (weight decay) may remain unidentified: see `identified`. Such decisions may be left to a
population of trainings, which the paper lacks (`finish`): see `_population`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar, Literal

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing import derivation
from automl_algorithms.weight_sharing._finish import Finish
from automl_algorithms.weight_sharing._presets import one_of
from automl_algorithms.weight_sharing._regularisers import in_training_alone
from automl_algorithms.weight_sharing._rewards import FlooredRewards
from automl_algorithms.weight_sharing._temporary import Temporary
from automl_algorithms.weight_sharing._turns import Turns
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.identified import BACKED
from automl_algorithms.weight_sharing.live import beginning
from automl_algorithms.weight_sharing.search import Batch, Diverged, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.points import Value

Shared = Literal["argmax", "sample", "kept"]


@algorithm
class AutoHAS(TuNAS):
    """Architecture and hyperparameters by REINFORCE on temporary steps.

    Args:
        shared: hyperparameters of the steps of the shared weights: the most probable ones, or
            drawn afresh (the paper), or the temporary step of the record that was judged last is
            kept (TuNAS, where nothing but the architecture is searched).
        every: a record is judged in each so manieth step; None: 2 where that needs no gradient
            of its own, else 5. It decides the cost of the search.
        horizon: steps of a temporary training, on the last so many batches.
        groups: of decisions that are searched one after the other, as lists of paths:
            [[model], [optimizer, augment]]. Before its turn a group is the static program's,
            afterwards it is what was found.
        finish: trainings, as long as the search, that may be spent on what the rewards left open,
            within the search's last steps; 0 leaves it open: hyperparameters stay the static
            program's. It is about a learning rate only where it takes most of the search, as with
            3 trainings and 8 members; with more than that, members are dropped later.
        members: trainings that such a finish begins with.
        value: numbers beside the network end at the most probable candidate, or at the one that
            is nearest to the mean of the policy in the order of their values.
        lr: of the policy.
        beta: weight of a cost in the reward; negative.
        delay: share of the search in which the policy rests.
        warmup: share of the search in which decisions in the network may be forced.
        samples: records that are judged at a time, from the same weights and on one batch.
        cost, target, shape, baseline, clip: as of tunas.
    """

    live: ClassVar[bool] = True
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"learning_rate", "weight_decay", "augmentation", "dropout", "architecture"}
    )

    def __init__(
        self,
        *,
        shared: Literal["argmax", "sample", "kept"] = "argmax",
        every: int | None = None,
        horizon: int = 1,
        groups: Sequence[Sequence[str]] = (),
        finish: float = 0.0,
        members: int = 8,
        value: Literal["argmax", "mean"] = "argmax",
        lr: float | None = None,
        beta: float | None = None,
        delay: float | None = None,
        warmup: float | None = None,
        samples: int = 1,
        cost: str | None = None,
        target: float | None = None,
        shape: Literal["absolute", "hinge", "mnas", "mnas_hard"] | None = None,
        baseline: float = 0.95,
        clip: float | None = None,
    ) -> None:
        super().__init__(
            lr=lr, beta=beta, delay=delay, warmup=warmup, samples=samples, cost=cost,
            target=target, shape=shape, baseline=baseline, clip=clip, unidentified="policy",
        )  # fmt: skip
        one_of("shared", shared, ("argmax", "sample", "kept"))
        one_of("value", value, ("argmax", "mean"))
        for name, number in {"every": every, "horizon": horizon}.items():
            if number is not None and number < 1:
                raise UserError(f"{name} must be at least 1, got {number}")
        self.shared, self.every, self.horizon, self.value = shared, every, horizon, value
        self.groups, self.finish = groups, Finish(finish, members)

    def setup(self, net: Supernet, task: Task) -> None:
        """As TuNAS; and whose turn it is when, and how often a record is judged."""
        super().setup(net, task)
        self.turns = Turns([net.space.points[index] for index in net.gates], self.groups)
        self.start = beginning(net.space)
        hyperparameters = net.live | in_training_alone(net)
        self.beside = hyperparameters | net.inert
        # What stays the static program's without evidence, if there is one.
        self.stays = hyperparameters if net.space.default() is not None else frozenset[int]()
        if any(net.gates[index].size > 1 for index in net.live):
            wanted = self.rewards.targets
            self.rewards = FlooredRewards(wanted, self.options.beta, self.baseline)
        shares = self.horizon == 1 and self.options.samples == 1
        shares = shares and hyperparameters <= net.stepping
        self.period = self.every or (2 if shares and self.shared != "sample" else 5)
        self.past: deque[Batch] = deque(maxlen=self.horizon)
        self.trusted: list[Value] = []  # live values of a shared step that went well
        self.finish.setup(self, hyperparameters)

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """If it is time, records are judged and the policy is told; then the shared step."""
        begin = self.finish.begin(at.steps)
        if at.step == begin:
            self.finish.compete(self._record(frozenset()), self.evidence.of, begin)
        if self.finish.population is not None:
            return self.finish.population.step(train, valid, at)
        at = at._replace(steps=begin)  # schedules of the policy end where the finish begins
        delay = self.options.delay
        learning = self.turns.learning(max(0.0, (at.progress - delay) / (1 - delay)))
        self.past.append(train)
        rests = at.progress < delay
        if rests or at.step % self.period:
            steady = rests or self.shared == "argmax"
            record = self._record(learning - self.beside if steady else learning)
            return {"loss": self._train(record, train, learning, at)}
        drawn = [self._record(learning) for _ in range(self.options.samples)]
        batch = valid()
        judged = [self._worth(each, batch, self._on_past) for each in drawn[:-1]]
        loss, found = self._last(drawn[-1], train, batch, learning, at)
        judged.append(found)
        known = [math.isfinite(found["quality"]) for found in judged]
        told = [
            (record, found["reward"])
            for record, found, finite in zip(drawn, judged, known, strict=True)
            # Without a mean there is no telling what is worse.
            if finite or self.rewards.baseline.weight
        ]
        if told:
            records, rewards = map(list, zip(*told, strict=True))
            self._ascend(records, rewards, at, learning - self.net.inert)
            if learning & self.net.inert and known[0]:
                self._ascend_inert(drawn[0], judged[0]["quality"], at)
        sums = {key: [f[key] for f in judged if math.isfinite(f[key])] for key in judged[0]}
        seen = {key: sum(values) / len(values) for key, values in sums.items() if values}
        return {"loss": loss} | seen | {"ruined": 1 - sum(known) / len(known)}

    def policy(self) -> Policy:
        """As learned so far; for decisions that the finish is about, as its members have them."""
        return {**super().policy(), **self.finish.policy()}

    def found(self) -> dict[str, float]:
        """As TuNAS; and what the finish has found."""
        return super().found() | self.finish.found()

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The best of every decision, as `value` has it; then the most probable records."""
        finish = self.finish.population
        yield self._record(frozenset()) if finish is None else finish.members[0].record
        yield from super().derive(valid)

    def _last(
        self, record: Decisions, train: Batch, batch: Batch, learning: Collection[int], at: Moment
    ) -> tuple[float, dict[str, float]]:
        """Judge a record and take the shared step; the loss of that, and what was found."""
        if self.shared == "kept":
            losses: list[float] = []
            found = self._worth(
                record, batch, lambda: losses.append(self.train_weights(train)), keep=True
            )
            return losses[0] if losses else math.nan, found
        if self.shared == "argmax":
            after = self._record(frozenset(), record)
            if self.horizon == 1 and self.net.one_gradient(record, after):
                return self._two_steps(record, after, train, batch)
        else:
            after = self._record(learning)
        found = self._worth(record, batch, self._on_past)
        return self._train(after, train, learning, at), found

    def _two_steps(
        self, record: Decisions, after: Decisions, train: Batch, batch: Batch
    ) -> tuple[float, dict[str, float]]:
        """The temporary and the shared step from one gradient: they differ in the optimiser."""
        self.net.choose(record)
        loss = self.differentiate(train)
        found = self._worth(record, batch, self.net.program.optimizer.step)
        self.net.adopt(after.values)
        self._guarded(after, self.net.program.optimizer.step)
        return loss, found

    def _worth(
        self, record: Decisions, batch: Batch, train: Callable[[], object], *, keep: bool = False
    ) -> dict[str, float]:
        """What a record is worth after a training that is undone, unless it is to be kept."""
        self.net.choose(record)
        with Temporary(self.net.model, self.net.program.optimizer) as temporary:
            try:
                train()
                sane = temporary.sane()
            except Diverged:
                sane = False
            found = self._priced(record, self.reward(batch) if sane else math.nan)
            if keep and sane:
                temporary.keep()
        return found

    def _on_past(self) -> None:
        for batch in self.past:
            self.train_weights(batch)

    def _train(
        self, record: Decisions, train: Batch, learning: Collection[int], at: Moment
    ) -> float:
        """The shared step with a record; its loss."""
        self.net.choose(record)
        self._force(record, at, self.beside | (self.net.gates.keys() - learning))
        losses: list[float] = []
        self._guarded(record, lambda: losses.append(self.train_weights(train)))
        return losses[0]

    def _guarded(self, record: Decisions, step: Callable[[], object]) -> None:
        """A step of the shared weights; with hyperparameters that ruin them it is undone."""
        values = [record.values[index] for index in sorted(self.net.live)]
        if values == self.trusted:
            step()
            return
        with Temporary(self.net.model, self.net.program.optimizer) as temporary:
            step()
            if temporary.sane():
                temporary.keep()
                self.trusted = values

    def _record(self, free: Collection[int], like: Decisions | None = None) -> Decisions:
        """Free points are drawn from the policy; the others are at their best.

        Args:
            like: a record that points of the network are to be as in, instead.
        """
        policy: dict[int, Sequence[float]] = dict(self.policy())
        for index, chances in policy.items():
            if index in free:
                continue
            value = None if like is None or index in self.beside else like.values[index]
            point = self.net.space.points[index]
            place = self._best(index, chances) if value is None else point.place(value)
            policy[index] = derivation.one_hot(place, len(chances))
        if not free:
            return derivation.argmax(self.net.space, policy, self.net.settled)
        return derivation.sample(self.net.space, policy, self.rng, self.net.settled)

    def _best(self, index: int, chances: Sequence[float]) -> int:
        """A place by the policy; the static program's among equals.

        A hyperparameter that no evidence backs stays the static program's, too: what a policy
        came to by chance may cost the final training more than all that the search has won.
        """
        point, values = self.net.space.points[index], self.net.gates[index].values
        places = range(len(chances))
        if self.value == "mean" and index in self.beside and all(map(_is_number, values)):
            order = sorted(places, key=values.__getitem__)
            return order[round(sum(chances[place] * rank for rank, place in enumerate(order)))]
        static = self.start[index]
        assert static is not None
        first = point.place(static)
        best = max(places, key=lambda place: (chances[place], place == first))
        backed = index not in self.stays or self.evidence.of(index, best) >= BACKED
        return best if backed else first

    def state_dict(self) -> dict[str, Any]:
        """What else the next step depends on."""
        past = list(self.past)[1:] if len(self.past) == self.horizon else list(self.past)
        return super().state_dict() | {
            "past": past,
            "trusted": self.trusted,
            "finish": self.finish.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.past.extend(state["past"])
        self.trusted = state["trusted"]
        self.finish.load_state_dict(state["finish"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
