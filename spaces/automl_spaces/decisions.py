"""Decision records: one point of a space, as data."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from automl_spaces.points import Value

if TYPE_CHECKING:
    from json import JSONEncoder

    from automl_spaces.space import Space


class Decisions:
    """One decision record of a space: immutable, hashable, equal by content.

    Attributes:
        space: the space it belongs to.
        values: one entry per point of the space: the index of a candidate, a number, or None
            where the point is inactive.
    """

    __slots__ = ("_json", "_shown", "space", "values")

    def __init__(self, space: Space, values: tuple[Value, ...]) -> None:
        self.space, self.values = space, values
        self._json: str | None = None
        self._shown: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Active decisions by point id: numbers, and the labels of candidates."""
        if self._shown is None:
            self._shown = {
                p.id: p.show(v)
                for p, v in zip(self.space.points, self.values, strict=True)
                if v is not None
            }
        return self._shown.copy()

    def to_json(self) -> str:
        """`as_dict` as compact JSON, in the order of the points; `Space.decode` reads it.

        Keyed by id and label, not by position: a record outlives the adding of candidates and
        the reordering of arguments.
        """
        if self._json is None:
            self._json = _encoder().encode(self.as_dict())
        return self._json

    def __getitem__(self, id: str) -> Any:
        point = self.space.point(id)
        value = self.values[point.index]
        return None if value is None else point.show(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decisions):
            return NotImplemented
        return self.values == other.values and (
            self.space is other.space or self.space.hash == other.space.hash
        )

    def __hash__(self) -> int:
        return hash(self.values)

    def __repr__(self) -> str:
        return f"Decisions({self.to_json()})"


@cache
def _encoder() -> JSONEncoder:
    from json import JSONEncoder  # what only shows a space has no use for it

    return JSONEncoder(separators=(",", ":"), ensure_ascii=False)
