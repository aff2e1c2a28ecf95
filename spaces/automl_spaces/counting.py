"""The exact number of decision records of a space."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_spaces.points import Point

_MOST_STATES = 100_000

Last = tuple[tuple[int, int], ...]  # of each sorted group that is half decided: its last candidate
State = tuple[frozenset[int], Last]  # the points that are active and still to come; `Last`
States = dict[State, int | float]


def count(points: Sequence[Point]) -> int | float:
    """How many records there are; `math.inf` when a point that can be active is a continuum.

    The points are decided one after the other, children soon after their parents. Of what was
    decided only the points that it made active are remembered, so that the ways to come to the
    same state are added up and a chain of independent decisions keeps a single state.

    Raises:
        OverflowError: so many choices share their conditions that the states explode.
    """
    children: dict[tuple[int, int], list[int]] = {}
    for point in points:
        for condition in point.conditions:
            children.setdefault(condition, []).append(point.index)
    bearing = {parent for parent, _ in children}
    roots = frozenset(p.index for p in points if not p.conditions)
    states: States = {(roots, ()): 1}
    for i in _order(points, children):
        states = _decide(points[i], states, children, bearing)
        if len(states) > _MOST_STATES:
            raise OverflowError("too many shared conditions to count the space exactly")
    return sum(states.values())


def _order(points: Sequence[Point], children: dict[tuple[int, int], list[int]]) -> list[int]:
    """Depth first, but a point only after all of its parents."""
    order: list[int] = []
    missing = [len({parent for parent, _ in p.conditions}) for p in points]
    stack = [p.index for p in reversed(points) if not p.conditions]
    while stack:
        i = stack.pop()
        order.append(i)
        below = {j for c in range(len(points[i].labels)) for j in children.get((i, c), ())}
        for j in sorted(below, reverse=True):
            missing[j] -= 1
            if not missing[j]:
                stack.append(j)
    return order


def _decide(
    point: Point,
    states: States,
    children: dict[tuple[int, int], list[int]],
    bearing: set[int],
) -> States:
    i, group = point.index, point.group
    plain = group is None or not bearing.intersection(group.indices)
    after: States = {}
    for (active, last), ways in states.items():
        if i not in active:
            after[active, last] = after.get((active, last), 0) + ways
            continue
        rest = active - {i}
        if plain and i not in bearing:
            times = _alternatives(point)
            after[rest, last] = after.get((rest, last), 0) + ways * times
            continue
        for chosen, remembered, times in _candidates(point, last):
            state = rest.union(children.get((i, chosen), ())), remembered
            after[state] = after.get(state, 0) + ways * times
    return after


def _alternatives(point: Point) -> int | float:
    """In how many ways a point without children is decided; a group of them at its first slot."""
    group = point.group
    if group is None:
        return math.inf if point.cardinality is None else point.cardinality
    if point.index != group.indices[0]:
        return 1
    n, k = len(point.labels), len(group.indices)
    if group.distinct:
        return math.comb(n, k) if group.sorted else math.perm(n, k)
    return math.comb(n + k - 1, k) if group.sorted else n**k


def _candidates(point: Point, last: Last) -> list[tuple[int, Last, int]]:
    """Each candidate that may come now, what is then remembered, and how often it counts.

    Slots are alike, so distinct ones in any order are counted as sorted ones, k! times.
    """
    group, n = point.group, len(point.labels)
    if group is None or not (group.distinct or group.sorted):
        return [(c, last, 1) for c in range(n)]
    first = group.indices[0]
    others = tuple(pair for pair in last if pair[0] != first)
    start = dict(last).get(first, -1 if group.distinct else 0) + group.distinct
    times = 1
    if point.index == first and group.distinct and not group.sorted:
        times = math.factorial(len(group.indices))
    if point.index == group.indices[-1]:
        return [(c, others, times) for c in range(start, n)]
    return [(c, (*others, (first, c)), times) for c in range(start, n)]
