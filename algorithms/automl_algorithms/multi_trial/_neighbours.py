"""The neighbourhood of a record: everything that is one decision away from it.

- A choice: each of its other candidates.
- A number: some others on its own scale, coarse and fine ones; all others if they are few.
- Slots that are constrained together: a candidate replaced by an unused one, two places traded.

Decisions that a change makes active are drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from automl_spaces import sampling, scales

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.points import Group, Point, Value
    from automl_spaces.space import Space

Values = tuple["Value", ...]
COARSEST: Final = 0.5  # of the scale
FINEST: Final = 0.005


def neighbours(
    space: Space, decisions: Decisions, rng: random.Random, numbers: int
) -> list[Values]:
    """The values of all neighbours, each once, in random order; the record itself is not one.

    Args:
        space: that of the record.
        decisions: whose neighbours.
        rng: the order, the numbers and what becomes active come from here.
        numbers: how many other values of a numeric decision are tried.
    """
    values, points = decisions.values, space.points
    parents = {parent for p in points for parent, _ in p.conditions}
    found: dict[Values, None] = {}
    for point in sampling.mutable(points, values):
        for changed in _changes(point, values, rng, numbers):
            if point.index in parents:
                found[sampling.complete(points, changed, rng)] = None
            else:
                found[tuple(changed)] = None
    found.pop(values, None)
    ordered = list(found)
    rng.shuffle(ordered)
    return ordered


def beside(point: Point, values: Values, rng: random.Random) -> list[Value] | None:
    """The values of a record, a decision between numbers moved a little; None if it is no such.

    Of candidates that are numbers the next lower or higher one, at an end the only one there is;
    on a scale a value at a distance of any order of magnitude. What a move makes active is still
    to be drawn.
    """
    group, old, up = point.group, values[point.index], rng.random() < 0.5
    assert old is not None
    if group is not None and (group.distinct or group.sorted):
        return None
    if point.kind != "categorical":
        return _with(values, {point.index: _nudged(point, old, up, rng)})
    if point.numbers is None:
        return None
    ordered = sorted(range(len(point.numbers)), key=point.numbers.__getitem__)
    place = ordered.index(int(old))
    place += 1 if (up or place == 0) and place < len(ordered) - 1 else -1
    return _with(values, {point.index: ordered[place]})


def _changes(
    point: Point, values: Values, rng: random.Random, numbers: int
) -> Iterator[list[Value]]:
    group = point.group
    if group is not None and (group.distinct or group.sorted):
        yield from _slot_changes(group, values, point.index, len(point.labels))
        return
    old = values[point.index]
    assert old is not None
    n = point.cardinality
    if n is not None and (point.kind == "categorical" or n <= numbers + 1):
        others: list[int | float] = [point.at(i) for i in range(n) if i != point.place(old)]
    else:
        first = rng.random() < 0.5
        others = [_nudged(point, old, first ^ (i % 2 == 1), rng) for i in range(numbers)]
    for new in others:
        yield _with(values, {point.index: new})


def _slot_changes(group: Group, values: Values, i: int, n: int) -> Iterator[list[Value]]:
    slots = group.indices
    used = {values[j] for j in slots} if group.distinct else {values[i]}
    for candidate in range(n):
        if candidate not in used:
            changed = _with(values, {i: candidate})
            if group.sorted:
                ordered = sorted(changed[j] for j in slots)  # type: ignore[type-var]
                changed = _with(values, dict(zip(slots, ordered, strict=True)))
            yield changed
    if not group.sorted:
        for j in slots:
            if j > i:
                yield _with(values, {i: values[j], j: values[i]})


def _with(values: Values, changes: dict[int, Value]) -> list[Value]:
    changed = list(values)
    for i, value in changes.items():
        changed[i] = value
    return changed


def _nudged(point: Point, old: float, up: bool, rng: random.Random) -> int | float:
    """Another value, further up or down by a distance whose logarithm is uniform.

    Near an end of the scale the distance is taken to the other side.
    """
    distance = COARSEST * (FINEST / COARSEST) ** rng.random()
    u = point.to_unit(old)
    moved = u + distance if up else u - distance
    if not 0.0 <= moved <= 1.0:
        moved = 2 * u - moved
    new = scales.from_unit(moved, point.min, point.max, point.scale)
    n = point.cardinality
    if n is None:
        return new
    before = point.place(old)
    place = min(max(point.place(new), 0), n - 1)
    if place == before:  # the grid is coarser than the distance
        place += 1 if (moved > u or before == 0) and before < n - 1 else -1
    return point.at(place)
