"""Drawing, changing and repairing decision records. Randomness is always an argument."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from automl_spaces.points import Group, Point, Value

if TYPE_CHECKING:
    import random


def is_active(point: Point, values: Sequence[Value]) -> bool:
    """Whether a point counts, given the values of its parents."""
    conditions = point.conditions
    return not conditions or any(values[parent] == chosen for parent, chosen in conditions)


def draw(point: Point, rng: random.Random) -> int | float:
    """A value of one point, on its scale."""
    if point.kind == "categorical":
        return int(rng.random() * len(point.labels))
    return point.from_unit(rng.random())


def draw_group(group: Group, n: int, rng: random.Random) -> list[int]:
    """Jointly drawn candidate indices of the slots of a group, every outcome equally likely."""
    k = len(group.indices)
    if group.distinct:
        picked = rng.sample(range(n), k)
        return sorted(picked) if group.sorted else picked
    if group.sorted:  # multisets: stars and bars
        return [bar - i for i, bar in enumerate(sorted(rng.sample(range(n + k - 1), k)))]
    return [rng.randrange(n) for _ in range(k)]


def group_fits(group: Group, values: Sequence[Value]) -> bool:
    """Whether the slots keep their constraint; undecided slots fit anything."""
    picked = [v for i in group.indices if (v := values[i]) is not None]
    if group.distinct and len({*picked}) < len(picked):
        return False
    return not group.sorted or all(a <= b for a, b in itertools.pairwise(picked))


def complete(
    points: Sequence[Point], values: Sequence[Value], rng: random.Random
) -> tuple[Value, ...]:
    """A valid record near the given values: what is inactive is cleared, what is missing drawn.

    A group that breaks its constraint is drawn again as a whole.
    """
    done: list[Value] = list(values)
    for point in points:
        i = point.index
        if point.conditions and not is_active(point, done):
            done[i] = None
            continue
        if point.group is None:
            if done[i] is None:
                done[i] = draw(point, rng)
        elif i == point.group.indices[0]:
            group = point.group
            if any(done[j] is None for j in group.indices) or not group_fits(group, done):
                for j, v in zip(
                    group.indices, draw_group(group, len(point.labels), rng), strict=True
                ):
                    done[j] = v
    return tuple(done)


def mutate_point(
    points: Sequence[Point], values: list[Value], point: Point, rng: random.Random
) -> None:
    """Give one active point another value, in place; slots keep their group's constraint."""
    i = point.index
    old = values[i]
    if point.group is not None and (point.group.distinct or point.group.sorted):
        _mutate_slot(point.group, values, i, len(point.labels), rng)
        return
    n = point.cardinality
    if n is None:
        new = draw(point, rng)
        while new == old:
            new = draw(point, rng)
        values[i] = new
        return
    place = rng.randrange(n - 1)
    assert old is not None
    values[i] = point.at(place + (place >= point.place(old)))


def _mutate_slot(group: Group, values: list[Value], i: int, n: int, rng: random.Random) -> None:
    slots = group.indices
    if group.distinct:
        unused = [c for c in range(n) if c not in {values[j] for j in slots}]
        if not unused:  # a permutation: two places trade
            other = rng.choice([j for j in slots if j != i])
            values[i], values[other] = values[other], values[i]
            return
        values[i] = rng.choice(unused)
    else:
        values[i] = rng.choice([c for c in range(n) if c != values[i]])
    if group.sorted:
        for j, v in zip(slots, sorted(values[j] for j in slots), strict=True):  # type: ignore[type-var]
            values[j] = v


def mutable(points: Sequence[Point], values: Sequence[Value]) -> list[Point]:
    """The active points that could have another value."""
    return [
        p
        for p in points
        if values[p.index] is not None
        and p.cardinality != 1
        and not (
            p.group is not None
            and p.group.distinct
            and len(p.group.indices) == len(p.labels)
            and (p.group.sorted or len(p.group.indices) == 1)
        )
    ]


def enumerate_values(
    points: Sequence[Point], places: Callable[[Point], Sequence[int | float]]
) -> Iterator[tuple[Value, ...]]:
    """Every record once, the last point turning fastest; lazily, with an explicit stack."""
    values: list[Value] = [None] * len(points)
    stack: list[Iterator[Value]] = []

    def options(point: Point) -> Iterator[Value]:
        if not is_active(point, values):
            return iter((None,))
        if point.group is None:
            return iter(places(point))
        before = [
            v for j in point.group.indices if j < point.index and (v := values[j]) is not None
        ]
        start = before[-1] if before and point.group.sorted else 0
        return iter(
            [
                c
                for c in range(len(point.labels))
                if c >= start and not (point.group.distinct and c in before)
            ]
        )

    if not points:
        yield ()
        return
    stack.append(options(points[0]))
    while stack:
        depth = len(stack) - 1
        try:
            values[depth] = next(stack[-1])
        except StopIteration:
            stack.pop()
            values[depth] = None
            continue
        if depth + 1 == len(points):
            yield tuple(values)
        else:
            stack.append(options(points[depth + 1]))
