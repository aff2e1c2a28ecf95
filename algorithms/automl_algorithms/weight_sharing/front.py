"""The front of quality and a cost, by shared weights: what a trained supernet can tell for little.

A policy ends with the one compromise that it was rewarded for. But its supernet judges any network
in one pass over some batches, and what acts through costs alone (an accelerator) needs not even
that. So the front of many records costs about one training:

    drawn <- half of them from the policy, half at random, and the cheapest
    in each round: settle every drawn record: from the best accelerator of those before, each
                   inert decision in turn where the cost is least within the constraints
                   front <- of all records, those that no other beats in quality and cost
                   drawn <- records of the front, one decision changed in each

As once-for-all networks are searched (Cai et al. 2020, arXiv 1908.09791), with (mu + lambda)
evolution. In the end the front is judged again on the whole validation part, and told in such an
order that every record adds the most to the hypervolume of those before it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from automl_algorithms.pareto import hypervolume, non_dominated
from automl_algorithms.weight_sharing.search import Batch, SupernetSearch, Task
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.points import Value
from automl_spaces.space import Space

TOGETHER: Final = 16  # records of a round
MOST_ROUNDS: Final = 100
JUDGED: Final = 8  # batches of the validation part, for each network before the end
Judge = Callable[[Decisions], float]
_Key = tuple[Value, ...]
_Pair = tuple[float, float]


class Front:
    """A search of records that are good, cheap, or both.

    Args:
        inert: indices of the points that no quality depends on.
        task: its costs, and the bounds on them.
        cost: the name of the cost that is to be small.
        rng: draws and changes records.
        judge: the quality of a record by shared weights, to be maximised.
    """

    def __init__(
        self,
        space: Space,
        inert: Collection[int],
        task: Task,
        cost: str,
        rng: random.Random,
        judge: Judge,
    ) -> None:
        self.space, self.inert, self.task, self.cost = space, sorted(inert), task, cost
        self.judge, self.rng = judge, rng
        self.qualities: dict[_Key, float] = {}  # by all decisions that are not inert
        self.settings: dict[_Key, None] = {}  # inert decisions that networks were settled on

    def find(self, draw: Callable[[], Decisions], networks: int) -> list[Decisions]:
        """The front, when so many networks have been judged or nothing new is near."""
        drawn = [draw() if n % 2 else self.space.sample(self.rng) for n in range(TOGETHER)]
        drawn[0] = self.descended(drawn[0], range(len(self.space.points)))
        told = dict[Decisions, _Pair]()
        for _ in range(MOST_ROUNDS):
            told |= self.told(map(self.settled, drawn))
            front = best(told)
            if not front or len(self.qualities) >= networks:
                break
            drawn = [self.space.mutate(self.rng.choice(front), self.rng) for _ in drawn]
        return best(self.told(map(self.settled, told)))  # the first ones know the last by now

    def told(self, records: Iterable[Decisions]) -> dict[Decisions, _Pair]:
        """Quality and negative cost, both to be maximised, of records within the constraints."""
        found = {}
        for record in filter(self.task.accepts, records):
            key = tuple(v for i, v in enumerate(record.values) if i not in self.inert)
            if key not in self.qualities:
                self.qualities[key] = self.judge(record)
            pair = self.qualities[key], -self.task.costs(record)[self.cost]
            if all(map(math.isfinite, pair)):
                found[record] = pair
        return found

    def settled(self, record: Decisions) -> Decisions:
        """The network of a record, with the cheapest inert decisions that are found for it.

        There are two descents, from its own and from the best of what others ended with:
        accelerators that suit one network suit others, and single changes do not lead from one
        good kind to another.
        """
        known = [self._with(record, setting) for setting in self.settings]
        starts = dict.fromkeys((record, min(known, key=self.price, default=record)))
        found = min((self.descended(each, self.inert) for each in starts), key=self.price)
        self.settings[tuple(found.values[i] for i in self.inert)] = None
        return found

    def descended(self, record: Decisions, indices: Sequence[int]) -> Decisions:
        """The record, made so that no change of one of these decisions makes it cheaper."""
        least, better = self.price(record), True
        while better:
            better = False
            for index in indices:
                for other in self._others(record, index):
                    price = self.price(other)
                    if price < least:
                        record, least, better = other, price, True
        return record

    def price(self, record: Decisions) -> _Pair:
        """How far a record is outside of the bounds, as a share of them; then its cost."""
        known, outside = self.task.costs(record), 0.0
        for name, (low, high) in self.task.bounds.items():
            for excess, end in ((known[name] - high, high), (low - known[name], low)):
                if excess > 0:
                    outside += excess / (abs(end) or 1.0)
        return outside, known[self.cost]

    def _others(self, record: Decisions, index: int) -> Iterator[Decisions]:
        """The same record with each other value of a decision, if that counts in it."""
        point, value = self.space.points[index], record.values[index]
        if value is None:
            return
        for place in range(point.cardinality or 0):
            if point.at(place) != value:
                values = list(record.values)
                values[index] = point.at(place)
                yield self.space.complete(values, self.rng)

    def _with(self, record: Decisions, setting: Sequence[Value]) -> Decisions:
        values = list(record.values)
        for index, value in zip(self.inert, setting, strict=True):
            values[index] = value
        return self.space.complete(values, self.rng)


def shared_front(
    search: SupernetSearch,
    cost: str,
    networks: int,
    draw: Callable[[], Decisions],
    valid: Callable[[], Batch],
) -> list[Decisions]:
    """The front of a search whose supernet is trained, the best quality first.

    Args:
        networks: about so many are judged.
        draw: a record from its policy.
        valid: gives a batch of the validation part at each call.
    """
    batches = [valid() for _ in range(JUDGED)]
    parts = search.net.space, search.net.inert, search.task, cost, search.rng
    found = Front(*parts, lambda record: search.score(record, batches)).find(draw, networks)
    return spread(Front(*parts, search.score).told(found))


def checked_cost(cost: str, known: Iterable[str]) -> None:
    """Raise `UserError` unless a cost is one of those that the recipe knows."""
    known = list(known)
    if cost not in known:
        raise UserError(
            f"there is no front of quality and {cost}: the recipe does not compute that cost",
            hint=did_you_mean(cost, known) or f"costs: [{cost}]",
        )


def best(told: Mapping[Decisions, _Pair]) -> list[Decisions]:
    """The records that no other beats; of those that are alike the first."""
    records = {pair: record for record, pair in reversed([*told.items()])}
    pairs = list(records)
    return [records[pairs[i]] for i in non_dominated(pairs)]


def spread(told: Mapping[Decisions, _Pair]) -> list[Decisions]:
    """The front of records: the best quality first, then whatever adds most to those before.

    Volumes are measured from a tenth of the front's extent below it.
    """
    left = best(told)
    if not left:
        return []
    axes = list(zip(*(told[r] for r in left), strict=True))
    reference = [min(axis) - 0.1 * (max(axis) - min(axis)) for axis in axes]
    chosen = [max(left, key=told.__getitem__)]

    def volume(record: Decisions) -> float:
        return hypervolume([told[r] for r in (*chosen, record)], reference)

    while left := [record for record in left if record not in chosen]:
        chosen.append(max(left, key=volume))
    return chosen
