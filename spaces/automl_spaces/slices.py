"""A part of a space: some decisions are open, the others keep the values of one record.

A slice is a space like any other, only smaller, so every algorithm searches it unchanged. Its
records and those of the whole space lead to each other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.points import Group, Point, Value
from automl_spaces.sampling import group_fits, is_active
from automl_spaces.space import Space

Conditions = tuple[tuple[int, int], ...]


class Slice(Space):
    """The records of a space that agree with one of them in all but some decisions.

    Decisions that do not count in that record are open too, as far as the others let them come to
    count: nobody else would decide them.

    Args:
        whole: the space, which the slice shares its programs with.
        base: the record that the other decisions are taken from.
        open: indices of points that may be decided anew; of a group's slots all or none.
    """

    def __init__(self, whole: Space, base: Decisions, open: Iterable[int]) -> None:
        self.whole, self.base = whole, base
        self.template = whole.template
        chosen = frozenset(open)
        here: dict[int, int] = {}  # by index in the whole space, the index in the slice
        kept: list[Point] = []
        counts: dict[int, Conditions | None] = {}
        for point in whole.points:
            found = self._conditions(point, here, counts)
            counts[point.index] = found
            frozen = point.index not in chosen and base.values[point.index] is not None
            if found is None or frozen:
                continue
            mine = copy.copy(point)
            mine.index, mine.conditions = len(kept), found
            here[point.index] = mine.index
            kept.append(mine)
        for mine in kept:
            if mine.group is not None:
                indices = tuple(here[i] for i in mine.group.indices)
                mine.group = Group(indices, mine.group.distinct, mine.group.sorted)
        self._places = tuple(here)
        self._set_points(tuple(kept))

    def _conditions(
        self, point: Point, here: dict[int, int], counts: dict[int, Conditions | None]
    ) -> Conditions | None:
        """Under which open decisions a point counts; none: always; None: never.

        Args:
            here: the open points before it.
            counts: the conditions of all points before it.
        """
        if not point.conditions:
            return ()
        found: dict[tuple[int, int], None] = {}
        for parent, chosen in point.conditions:
            above = counts[parent]
            if above is None:
                continue
            if parent in here:
                found[here[parent], chosen] = None
            elif self.base.values[parent] == chosen:  # then it counts where its parent does
                if not above:
                    return ()
                found.update(dict.fromkeys(above))
        return tuple(found) or None

    def compose(self, decisions: Decisions) -> Decisions:
        """The record of the whole space that a record of the slice stands for."""
        values = list(self.base.values)
        for place, value in zip(self._places, decisions.values, strict=True):
            values[place] = value
        for point in self.whole.points:  # parents come first
            if point.conditions and not is_active(point, values):
                values[point.index] = None
        return Decisions(self.whole, tuple(values))

    def restrict(self, decisions: Decisions) -> Decisions | None:
        """Inverse of `compose`; None when a record of the whole space lies outside."""
        values: tuple[Value, ...] = tuple(decisions.values[place] for place in self._places)
        part = Decisions(self, values)
        fits = all(
            (value is not None) == is_active(point, values)
            and (point.group is None or group_fits(point.group, values))
            for point, value in zip(self.points, values, strict=True)
        )
        return part if fits and self.compose(part) == decisions else None

    def materialise(self, decisions: Decisions) -> Any:
        """The static program of a record, as the whole space makes it."""
        return self.whole.materialise(self.compose(decisions))

    def decisions_of(self, program: Any) -> Decisions:
        """The record that a program is made from; `UserError` when it lies outside."""
        return self._inside(self.whole.decisions_of(program))

    def _inside(self, decisions: Decisions) -> Decisions:
        found = self.restrict(decisions)
        if found is None:
            raise UserError("the program lies outside of the slice")
        return found
