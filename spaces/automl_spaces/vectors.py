"""Decision records as vectors of numbers in [0, 1], for model-based algorithms.

- Unordered candidates: one-hot, one entry per candidate.
- Ordered candidates (numbers): their rank, one entry.
- Numbers: the position on their own scale (so a log-scaled one is linear in its logarithm).
- A conditional point adds an entry that says whether it is active; its others are then 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from automl_spaces.points import Point, Value
from automl_spaces.sampling import group_fits, is_active


def _one_hot(point: Point) -> bool:
    return point.kind == "categorical" and point.numbers is None


def _width(point: Point) -> int:
    return (len(point.labels) if _one_hot(point) else 1) + bool(point.conditions)


def size(points: Sequence[Point]) -> int:
    """The length of a vector."""
    return sum(map(_width, points))


def _ranks(point: Point) -> list[int]:
    """Candidate indices in the order of their numbers."""
    assert point.numbers is not None
    return sorted(range(len(point.numbers)), key=point.numbers.__getitem__)


def encode(points: Sequence[Point], values: Sequence[Value]) -> list[float]:
    """The vector of a record."""
    vector: list[float] = []
    for point, value in zip(points, values, strict=True):
        if point.conditions:
            vector.append(float(value is not None))
        if _one_hot(point):
            vector += [float(i == value) for i in range(len(point.labels))]
        elif value is None:
            vector.append(0.0)
        elif point.kind == "categorical":
            ranks = _ranks(point)
            vector.append(ranks.index(int(value)) / max(len(ranks) - 1, 1))
        else:
            vector.append(point.to_unit(value))
    return vector


def decode(points: Sequence[Point], vector: Sequence[float]) -> tuple[Value, ...]:
    """The record nearest to a vector; groups take the best candidates that are still allowed."""
    values: list[Value] = [None] * len(points)
    at = 0
    for point in points:
        entries = vector[at : at + _width(point)]
        at += _width(point)
        if not is_active(point, values):
            continue
        entries = entries[bool(point.conditions) :]
        for value in _by_fit(point, entries):
            values[point.index] = value
            if point.group is None or (group_fits(point.group, values) and _room(point, values)):
                break
    return tuple(values)


def _room(point: Point, values: Sequence[Value]) -> bool:
    """Whether the later slots of a sorted group still find a candidate."""
    group = point.group
    value = values[point.index]
    if group is None or not (group.sorted and group.distinct) or value is None:
        return True
    later = sum(j > point.index for j in group.indices)
    return value + later < len(point.labels)


def _by_fit(point: Point, entries: Sequence[float]) -> list[int | float]:
    if _one_hot(point):
        best: list[int | float] = list(range(len(point.labels)))
        return sorted(best, key=lambda i: -entries[int(i)])
    u = min(max(entries[0], 0.0), 1.0)
    if point.kind == "categorical":
        ranks = _ranks(point)
        order = sorted(range(len(ranks)), key=lambda r: abs(r - u * (len(ranks) - 1)))
        return [ranks[r] for r in order]
    n = point.cardinality
    if n is None:
        return [point.from_unit(u)]
    exact = point.min if n == 1 else _unscaled(point, u)
    return [point.at(min(max(point.place(exact), 0), n - 1))]


def _unscaled(point: Point, u: float) -> float:
    from automl_spaces import scales

    return scales.from_unit(u, point.min, point.max, point.scale)


def spread(point: Point, resolution: int) -> list[int | float]:
    """`resolution` values of a continuous point, evenly on its scale, ends included."""
    if resolution == 1:
        return [_unscaled(point, 0.5)]
    return [_unscaled(point, i / (resolution - 1)) for i in range(resolution)]
