"""Decision points as coordinates that a numeric optimiser understands.

Each point becomes one `Axis`, whose coordinate is
- for a categorical point, the index of the candidate (no order);
- for a categorical point whose candidates are all numbers, their rank (ordered);
- for a number on an evenly spaced grid, the place in the grid;
- for any other number, its place in [0, 1] on the point's own scale, so that log and
  reverse_log points look linear to the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from automl_spaces.scales import from_unit, to_unit

if TYPE_CHECKING:
    import random

    from automl_spaces.points import Group, Point

Value = int | float
Kind = Literal["category", "grid", "unit"]


class Axis(NamedTuple):
    """One decision point as a coordinate.

    Args:
        name: the point's id.
        kind: `category` or `grid`: the coordinates are 0, 1, ..., size - 1, without or with an
            order; `unit`: any float in [0, 1].
        size: number of coordinates; 0 for `unit`.
        encode: from a decision's value to the coordinate.
        decode: from a coordinate to a value of the point; rounds to the nearest if need be.
    """

    name: str
    kind: Kind
    size: int
    encode: Callable[[Value], Value]
    decode: Callable[[Value], Value]

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.size == 1

    def to_unit(self, coordinate: Value) -> float:
        """The coordinate laid over [0, 1]; a discrete one to the middle of its cell."""
        return float(coordinate) if self.kind == "unit" else (coordinate + 0.5) / self.size

    def from_unit(self, u: float) -> Value:
        """Inverse of `to_unit` for any u in [0, 1]."""
        return u if self.kind == "unit" else min(int(u * self.size), self.size - 1)


def axis_of(point: Point, *, ordinal: bool) -> Axis:
    """The axis of a point; with `ordinal`, candidates that are numbers are ordered by size."""
    if point.kind == "categorical":
        if ordinal and point.numbers is not None:
            return _ranked(point.id, point.numbers)
        return Axis(point.id, "category", len(point.labels), _same, _same)
    size = point.cardinality
    if size is not None and (point.scale == "linear" or size == 1):
        return Axis(point.id, "grid", size, point.place, lambda c: point.at(int(c)))
    low, high, scale = point.min, point.max, point.scale

    def encode(value: Value) -> float:
        return to_unit(value, low, high, scale)

    def decode(u: Value) -> Value:
        number = from_unit(u, low, high, scale)
        return number if size is None else point.at(point.place(number))

    return Axis(point.id, "unit", 0, encode, decode)


def _ranked(name: str, numbers: Sequence[float]) -> Axis:
    by_size = sorted(range(len(numbers)), key=numbers.__getitem__)
    rank = {index: place for place, index in enumerate(by_size)}
    return Axis(name, "grid", len(by_size), lambda i: rank[int(i)], lambda r: by_size[int(r)])


def _same(index: Value) -> Value:
    return int(index)


def mend(points: Sequence[Point], values: list[Value | None], rng: random.Random) -> None:
    """Make the slots of every group of a space keep their constraint, changing few; in place."""
    for point in points:
        if point.group is not None and point.index == point.group.indices[0]:
            mend_group(point.group, values, len(point.labels), rng)


def mend_group(
    group: Group, values: list[Value | None], candidates: int, rng: random.Random
) -> None:
    """Make independently chosen slots keep their group's constraint, changing few; in place.

    The first of equal slots keeps its candidate, the others get unused ones. Without this
    nearly every proposal of a permutation would break, and be redrawn from nothing.
    """
    slots = group.indices
    if any(values[i] is None for i in slots):
        return
    if group.distinct:
        taken = {values[i] for i in slots}
        unused = [c for c in range(candidates) if c not in taken]
        rng.shuffle(unused)
        kept: set[Value | None] = set()
        for i in slots:
            if values[i] in kept:
                values[i] = unused.pop()
            kept.add(values[i])
    if group.sorted:
        ordered = sorted(v for i in slots if (v := values[i]) is not None)
        for i, value in zip(slots, ordered, strict=True):
            values[i] = value
