"""Decision points: the flat list of scalar decisions that a space consists of."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, NamedTuple

from automl_spaces import scales
from automl_spaces.errors import Mark
from automl_spaces.symbols import Symbol

Kind = Literal["categorical", "float", "int"]
Value = int | float | None


class Group(NamedTuple):
    """The slots of one `manyof` or `permutate`, decided together."""

    indices: tuple[int, ...]
    distinct: bool
    sorted: bool


class Point:
    """One scalar decision.

    Attributes:
        index: its place in `Space.points`; parents come before children.
        id: where it stands (`model.blocks[3].kernel_size`, `optimizer(Adam).lr`, `ops[0]`) or the
            name under which several places share it.
        kind: categorical (a candidate's index), float or int (the number itself).
        labels: what a record calls each candidate.
        numbers: the candidates' values when all of them are numbers: then they are ordered.
        min, max, scale, step: the range of a float or int.
        mark: where it was written.
        conditions: none: always active; else active when any of these (parent index, candidate
            index) pairs is chosen by an active parent.
        group: the slots that are constrained together with this one.

    The compiler sets `index`, `conditions` and `group` when it knows every other point.
    """

    def __init__(
        self,
        id: str,
        kind: Kind,
        labels: tuple[str, ...] = (),
        numbers: tuple[float, ...] | None = None,
        *,
        min: float = 0.0,
        max: float = 0.0,
        scale: str = "linear",
        step: float | None = None,
        mark: Mark | None = None,
    ) -> None:
        self.id, self.kind, self.labels, self.numbers = id, kind, labels, numbers
        self.min, self.max, self.scale, self.step = min, max, scale, step
        self.mark = mark
        self.index = -1
        self.conditions: tuple[tuple[int, int], ...] = ()
        self.group: Group | None = None

    @cached_property
    def cardinality(self) -> int | None:
        """How many values there are; None when they are a continuum."""
        if self.kind == "categorical":
            return len(self.labels)
        if self.step is None:
            return None if self.max > self.min else 1
        return scales.grid_size(self.min, self.max, self.step)

    def at(self, place: int) -> int | float:
        """The value at a place of 0 .. cardinality - 1."""
        if self.kind == "categorical":
            return place
        if self.step is None:
            return self.min
        value = scales.grid_value(place, self.min, self.step)
        return int(value) if self.kind == "int" else min(value, self.max)

    def place(self, value: float) -> int:
        """Inverse of `at`, to the nearest place."""
        if self.kind == "categorical":
            return int(value)
        return 0 if self.step is None else round((value - self.min) / self.step)

    def from_unit(self, u: float) -> int | float:
        """The value at a position u in [0, 1) of the scale."""
        n = self.cardinality
        if n is None:
            return scales.from_unit(u, self.min, self.max, self.scale)
        if self.scale == "linear" or self.step is None:
            return self.at(min(int(u * n), n - 1))
        # Half a step beyond each end, so that the first and last place get their share.
        low = max(self.min - self.step / 2, self.min / 2)
        exact = scales.from_unit(u, low, self.at(n - 1) + self.step / 2, self.scale)
        return self.at(min(max(self.place(exact), 0), n - 1))

    def to_unit(self, value: float) -> float:
        """The position in [0, 1] of a value on the scale; for candidates their rank."""
        if self.kind == "categorical":
            n = len(self.labels)
            return value / (n - 1) if n > 1 else 0.0
        return scales.to_unit(value, self.min, self.max, self.scale)

    def fits(self, value: Any) -> bool:
        """Whether a value can be decided here, on the grid if there is one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "categorical":
            return isinstance(value, int) and 0 <= value < len(self.labels)
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not self.min <= value <= self.max:
            return False
        if self.step is None:
            return True
        exact = self.at(self.place(value))
        return math.isclose(exact, value, rel_tol=1e-12, abs_tol=1e-6 * self.step)

    def describe(self) -> str:
        """What can be chosen, in a few words."""
        if self.kind == "categorical":
            return "{" + ", ".join(self.labels) + "}"
        scale = "" if self.scale == "linear" else f" {self.scale}"
        step = (
            ""
            if self.step is None or (self.kind == "int" and self.step == 1)
            else (f" step {self.step:g}")
        )
        return f"{self.kind} [{self.min:g}, {self.max:g}]{scale}{step}"

    def show(self, value: int | float) -> Any:
        """A decided value as a person reads it: a number, or the candidate's label."""
        if self.kind != "categorical":
            return value
        return self.labels[int(value)] if self.numbers is None else self.numbers[int(value)]

    def read(self, shown: Any) -> int | float | None:
        """Inverse of `show`; None when nothing here is called so."""
        if self.kind == "categorical":
            if isinstance(shown, bool) or not isinstance(shown, int | float | str):
                shown = label_of(shown)
            if self.numbers is not None and not isinstance(shown, str):
                return self.numbers.index(shown) if shown in self.numbers else None
            text = shown if isinstance(shown, str) else label_of(shown)
            return self.labels.index(text) if text in self.labels else None
        if not self.fits(shown):
            return None
        if self.step is not None:
            return self.at(self.place(shown))
        number: float = shown
        return float(number) if self.kind == "float" else number

    def spec(self) -> list[Any]:
        """What the point is, as data: equal specs decode each other's records."""
        range_ = [] if self.kind == "categorical" else [self.min, self.max, self.scale, self.step]
        return [
            self.id,
            self.kind,
            list(self.labels),
            *range_,
            list(map(list, self.conditions)),
            list(self.group or ()),
        ]

    def __eq__(self, other: object) -> bool:
        return self.spec() == other.spec() if isinstance(other, Point) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # the compiler changes it

    def __repr__(self) -> str:
        return f"<{self.id}: {self.describe()}>"


def label_of(candidate: Any) -> str:
    """What a record calls a candidate that has no label of its own."""
    if isinstance(candidate, Symbol):
        return candidate.type.name.rpartition(":")[2]
    if isinstance(candidate, str):
        return candidate
    if isinstance(candidate, list | tuple | dict):
        return _short(candidate)
    if isinstance(candidate, float) and candidate.is_integer() and abs(candidate) < 1e15:
        candidate = int(candidate)  # 1.0 equals 1, so it is called the same
    if isinstance(candidate, bool) or candidate is None:
        return {None: "null", True: "true", False: "false"}[candidate]
    return repr(candidate)


def _short(value: Any) -> str:
    if isinstance(value, Symbol):
        return f"{label_of(value)}({', '.join(f'{k}={_short(v)}' for k, v in value.args.items())})"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_short, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{_short(v)}" for k, v in value.items()) + "}"
    return label_of(value)


def labels_of(candidates: list[Any], given: list[str] | None = None) -> tuple[str, ...]:
    """A different label for each candidate, as short as possible.

    A label depends on the candidate and not on its position, so that a record keeps its meaning
    when candidates are added or reordered.
    """
    if given is not None:
        return tuple(given)
    for naming in (label_of, _short, _unmistakable):
        labels = tuple(map(_cut(naming), candidates))
        if len({*labels}) == len(labels):
            return labels
    return tuple(f"{label}#{i}" for i, label in enumerate(labels))


def _cut(naming: Callable[[Any], str]) -> Callable[[Any], str]:
    def cut(candidate: Any) -> str:
        label = naming(candidate)
        return label if len(label) <= 60 else f"{label[:50]}~{_digest(candidate)}"

    return cut


def _unmistakable(candidate: Any) -> str:
    kind = type(candidate).__name__
    return f"{kind}:{_short(candidate)}~{_digest(candidate)}"


def _digest(candidate: Any) -> str:
    from automl_spaces.json_form import fingerprint

    return fingerprint(candidate)[:6]
