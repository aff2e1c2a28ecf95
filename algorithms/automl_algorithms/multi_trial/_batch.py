"""Many records at once: rows of coordinates, drawn, changed and laid out for a model by numpy.

A row holds one coordinate per decision point, as `_axes` defines them, and NaN where the point
is inactive. Shapes are written with m rows, d points and f features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_algorithms.multi_trial import _axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from automl_spaces.points import Value
    from automl_spaces.space import Space

    Array = NDArray[np.floating[Any]]


class Batch:
    """The records of one space as rows.

    Attributes:
        owner: (f,) the point that each feature belongs to.
    """

    def __init__(self, space: Space) -> None:
        self.axes = [_axes.axis_of(point, ordinal=True) for point in space.points]
        kinds = np.array([axis.kind for axis in self.axes])
        self._category, self._unit = kinds == "category", kinds == "unit"
        self._size = np.array([axis.size for axis in self.axes], dtype=int)
        self._movable = self._size != 1
        self._conditions = [
            (p.index, [(parent, self.axes[parent].encode(c)) for parent, c in p.conditions])
            for p in space.points
            if p.conditions
        ]
        self._groups = [
            p.group for p in space.points if p.group is not None and p.index == p.group.indices[0]
        ]
        # One feature per candidate or number; then, for each conditional point, its activity.
        widths = np.where(self._category, self._size, 1)
        self._first = np.cumsum(widths) - widths
        self._flagged = np.array([i for i, _ in self._conditions], dtype=int)
        self.owner = np.concatenate([np.repeat(np.arange(len(self.axes)), widths), self._flagged])

    def rows(self, records: Sequence[Sequence[Value]]) -> Array:
        """(m, d) coordinates of the values of m records."""
        encoded = [
            [np.nan if v is None else a.encode(v) for a, v in zip(self.axes, values, strict=True)]
            for values in records
        ]
        return np.array(encoded, dtype=float).reshape(len(records), len(self.axes))

    def values(self, row: Array) -> tuple[Value, ...]:
        """The values of the record of one row."""
        return tuple(
            None if np.isnan(c) else axis.decode(float(c) if axis.kind == "unit" else int(c))
            for axis, c in zip(self.axes, row, strict=True)
        )

    def features(self, rows: Array) -> Array:
        """(m, f), scaled so that squared distances are comparable between the kinds of points.

        Two candidates have distance 1 (Hamming), as have the two ends of a scale, and a point
        that is active has at least distance 1 from one that is not.
        """
        m, width = len(rows), len(self.owner) - len(self._flagged)
        inactive = np.isnan(rows)
        known = np.where(inactive, 0.0, rows)
        column = (self._first + np.where(self._category, known, 0.0)).astype(int)
        column[inactive] = width  # a spare column
        number = np.where(self._unit, known, known / np.maximum(self._size - 1, 1))
        laid = np.zeros((m, width + 1))
        laid[np.arange(m)[:, None], column] = np.where(self._category, np.sqrt(0.5), number)
        return np.hstack([laid[:, :width], ~inactive[:, self._flagged]])

    def sample(self, m: int, rng: np.random.Generator) -> Array:
        """(m, d) random records."""
        return self._complete(self._draw(rng.random((m, len(self.axes))), rng), rng)

    def spread(self, m: int, rng: np.random.Generator) -> Array:
        """(m, d) records of a Latin hypercube: in m rows each point takes its values evenly.

        McKay, Beckman, Conover, "A comparison of three methods for selecting values of input
        variables", Technometrics 1979.
        """
        d = len(self.axes)
        strata = np.argsort(rng.random((m, d)), axis=0)
        return self._complete(self._draw((strata + rng.random((m, d))) / m, rng), rng)

    def mutate(self, rows: Array, rates: Array, steps: Array, rng: np.random.Generator) -> Array:
        """(m, d) neighbours: of each row at least one active decision moves.

        Args:
            rows: (m, d), not changed.
            rates: (m,) probability with which each further decision moves.
            steps: (m,) standard deviation by which a number moves, as a part of its range; a
                candidate without an order is replaced by any other.
            rng: the randomness.
        """
        m, d = rows.shape
        lot = np.where(np.isnan(rows) | ~self._movable, np.inf, rng.random((m, d)))
        moves = lot < np.maximum(rates, np.nextafter(lot.min(axis=1), 1.0))[:, None]
        top = np.where(self._unit, 1.0, self._size - 1.0)
        step = rng.standard_normal((m, d)) * steps[:, None]
        whole = np.copysign(np.maximum(np.rint(np.abs(step) * self._size), 1.0), step)
        moved = rows + np.where(self._unit, step, whole)
        moved = np.clip(top - np.abs(top - np.abs(moved)), 0.0, top)  # bounces off both ends
        other = (rows + 1 + np.floor(rng.random((m, d)) * top)) % np.maximum(self._size, 1)
        new = np.where(self._category, other, moved)
        changed = np.where(moves, new, rows)
        for group in self._groups:
            _mend(changed, rows, list(group.indices), group.distinct, group.sorted)
        return self._complete(changed, rng)

    def _draw(self, uniform: Array, rng: np.random.Generator) -> Array:
        drawn = np.where(self._unit, uniform, np.floor(uniform * self._size))
        for group in self._groups:
            slots = list(group.indices)
            if group.distinct:
                lots = rng.random((len(drawn), self._size[slots[0]]))
                drawn[:, slots] = np.argsort(lots, axis=1)[:, : len(slots)]
            if group.sorted:
                drawn[:, slots] = np.sort(drawn[:, slots], axis=1)
        return drawn

    def _complete(self, rows: Array, rng: np.random.Generator) -> Array:
        """Clear what is inactive and draw what has become active, in place."""
        if self._conditions:
            fresh = self._draw(rng.random(rows.shape), rng)
            for i, conditions in self._conditions:
                active = np.any([rows[:, parent] == c for parent, c in conditions], axis=0)
                drawn = np.where(np.isnan(rows[:, i]), fresh[:, i], rows[:, i])
                rows[:, i] = np.where(active, drawn, np.nan)
        return rows


def _mend(changed: Array, rows: Array, slots: list[int], distinct: bool, ordered: bool) -> None:
    """Make the slots of a group keep its constraint, in place: who meets its equal trades."""
    if distinct:
        old = rows[:, slots].copy()
        for j, slot in enumerate(slots):
            wanted = np.where(changed[:, slot] == rows[:, slot], old[:, j], changed[:, slot])
            old = np.where(old == wanted[:, None], old[:, [j]], old)
            old[:, j] = wanted
        changed[:, slots] = old
    if ordered:
        changed[:, slots] = np.sort(changed[:, slots], axis=1)
