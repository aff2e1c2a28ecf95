"""From a policy to an architecture: the rules by which weight-sharing searches end.

A policy gives, for each decision point by index, the probability of each of its places
0 .. cardinality - 1. Points that are not in it (a learning rate that was settled) come from
`settled`. Only the active points of a record count, and the slots of a `manyof` keep their
constraint: what it forbids has probability 0, and the rest is scaled to 1 (evenly, when nothing
of the policy is left).
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from automl_spaces.decisions import Decisions
from automl_spaces.points import Point, Value
from automl_spaces.sampling import is_active
from automl_spaces.space import Space

Policy = Mapping[int, Sequence[float]]
Settled = Mapping[int, Value]
_NONE: Settled = {}


def one_hot(place: int, size: int) -> list[float]:
    """The probabilities of so many candidates where one of them is certain."""
    return [float(candidate == place) for candidate in range(size)]


def preferred(chances: Sequence[float]) -> int:
    """The most probable candidate; of equal ones the first."""
    return max(range(len(chances)), key=chances.__getitem__)


def argmax(space: Space, policy: Policy, settled: Settled = _NONE) -> Decisions:
    """The most probable candidate of each point, parents first.

    It is what the searches report. With conditional points the record as a whole need not be the
    most probable one; see `most_probable`.
    """

    return _walk(space, policy, settled, preferred)


def sample(space: Space, policy: Policy, rng: random.Random, settled: Settled = _NONE) -> Decisions:
    """A record drawn from the policy."""

    def draw(chances: list[float]) -> int:
        # A decision with one candidate is none: with or without it a search draws the same.
        return rng.choices(range(len(chances)), chances)[0] if len(chances) > 1 else 0

    return _walk(space, policy, settled, draw)


def log_probability(policy: Policy, decisions: Decisions) -> float:
    """The logarithm of the probability of a record: a sum over its active points."""
    values = decisions.values
    return sum(
        _log(_chances(point, policy, values)[point.place(value)])
        for point, value in zip(decisions.space.points, values, strict=True)
        if value is not None and point.index in policy
    )


def most_probable(
    space: Space, policy: Policy, settled: Settled = _NONE
) -> Iterator[tuple[float, Decisions]]:
    """Every record that is possible, the most probable first, with its log-probability.

    Best first over partial records, which are bounded by what each remaining point that is always
    active gives at best; so the first k of many independent decisions are found at once.
    """
    points = space.points
    best = [0.0] * (len(points) + 1)  # of the points from here on
    for point in reversed(points):
        free = not point.conditions and point.group is None and point.index in policy
        top = _log(max(_chances(point, policy, ()))) if free else 0.0
        best[point.index] = best[point.index + 1] + top
    order = itertools.count()
    start: tuple[Value, ...] = ()
    heap = [(-best[0], 0, next(order), 0.0, start)]
    while heap:
        _, _, _, score, values = heapq.heappop(heap)
        depth = len(values)
        if depth == len(points):
            yield score, Decisions(space, values)
            continue
        for value, chance in _branches(points[depth], policy, settled, values):
            if chance > 0:
                total = score + math.log(chance)
                bound = -(total + best[depth + 1])
                heapq.heappush(heap, (bound, -depth, next(order), total, (*values, value)))


def best_of(
    candidates: Iterable[Decisions], score: Callable[[Decisions], float]
) -> tuple[float, Decisions]:
    """The candidate of the highest score, each scored once; of equal ones the first.

    A score that is not a number is worse than any other.

    Raises:
        ValueError: when there is no candidate.
    """
    scored = ((score(each), each) for each in dict.fromkeys(candidates))
    return max(scored, key=lambda pair: -math.inf if math.isnan(pair[0]) else pair[0])


def _walk(
    space: Space, policy: Policy, settled: Settled, decide: Callable[[list[float]], int]
) -> Decisions:
    values: tuple[Value, ...] = ()
    for point in space.points:
        if not is_active(point, values):
            value: Value = None
        elif point.index in policy:
            value = point.at(decide(_chances(point, policy, values)))
        else:
            value = settled[point.index]
        values = (*values, value)
    return Decisions(space, values)


def _branches(
    point: Point, policy: Policy, settled: Settled, values: tuple[Value, ...]
) -> list[tuple[Value, float]]:
    """What may come next, with its probability."""
    if not is_active(point, values):
        return [(None, 1.0)]
    if point.index not in policy:
        return [(settled[point.index], 1.0)]
    chances = _chances(point, policy, values)
    return [(point.at(place), chance) for place, chance in enumerate(chances)]


def _chances(point: Point, policy: Policy, values: Sequence[Value]) -> list[float]:
    """The probability of each place, given the slots before it."""
    chances = list(policy[point.index])
    if len(chances) != point.cardinality:
        raise ValueError(f"{point.id}: {len(chances)} probabilities for {point.cardinality} places")
    possible = allowed(point, values)
    if possible is None:
        return chances
    kept = [chance * fits for chance, fits in zip(chances, possible, strict=True)]
    if not any(kept):
        kept = [float(fits) for fits in possible]
    total = sum(kept)
    return [chance / total for chance in kept]


def allowed(point: Point, values: Sequence[Value]) -> list[bool] | None:
    """Which places the slots before it leave to a point; None when they leave it all."""
    group = point.group
    if group is None or not (group.distinct or group.sorted):
        return None
    slot = group.indices.index(point.index)
    taken = [v for i in group.indices[:slot] if (v := values[i]) is not None]
    low = int(taken[-1]) if taken and group.sorted else 0
    room = len(group.indices) - slot - 1 if group.sorted and group.distinct else 0
    size = point.cardinality or 0
    return [
        low <= place < size - room and not (group.distinct and place in taken)
        for place in range(size)
    ]


def _log(chance: float) -> float:
    return math.log(chance) if chance > 0 else -math.inf
