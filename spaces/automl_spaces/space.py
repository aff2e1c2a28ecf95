"""The space of programs that a tree with choices describes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl_spaces import sampling, vectors
from automl_spaces.compiler import Collector, compile_maker
from automl_spaces.counting import count
from automl_spaces.decisions import Decisions
from automl_spaces.errors import Problems, UserError, did_you_mean
from automl_spaces.matching import UNKNOWN, matches, static_program
from automl_spaces.points import Point, Value
from automl_spaces.symbols import Symbol

if TYPE_CHECKING:
    import random


class Space:
    """A compiled space: its decision points, and the way from decisions to programs and back.

    Args:
        template: a tree with choices; it is kept and must not be edited any more.

    Raises:
        UserError: choices of one name that differ, or a choice inside of itself.
    """

    def __init__(self, template: Any) -> None:
        self.template = template
        collector = Collector()
        collector.visit(template, "", None)
        self._set_points(collector.finish())
        self._make = compile_maker(template, "", self._index)

    def _set_points(self, points: tuple[Point, ...]) -> None:
        self.points = points
        self._by_id = {p.id: p for p in points}
        self._index = {p.id: p.index for p in points}
        self._simple = [
            None if p.conditions or p.group or p.kind != "categorical" else len(p.labels)
            for p in points
        ]

    @classmethod
    def compile(cls, template: Any) -> Space:
        """The space of a tree with choices."""
        return cls(template)

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits of the points: equal spaces have equal hashes."""
        import json

        from automl_spaces.json_form import digest

        text = json.dumps([p.spec() for p in self.points], separators=(",", ":"))
        return digest(text)

    @cached_property
    def size(self) -> int | float:
        """The exact number of decision records.

        `math.inf` when a decision is continuous, and when choices share so many conditions that
        counting would take longer than searching.
        """
        try:
            return count(self.points)
        except OverflowError:
            return math.inf

    def point(self, id: str) -> Point:
        """The decision point of an id."""
        if id not in self._index:
            raise UserError(f"no decision point {id}", hint=did_you_mean(id, self._index))
        return self.points[self._index[id]]

    def __repr__(self) -> str:
        return f"<space of {len(self.points)} decision points, {self.hash}>"

    # Drawing ------------------------------------------------------------------------------------

    def sample(self, rng: random.Random) -> Decisions:
        """A random record: every decision uniform on its own scale."""
        uniform = rng.random
        values: list[Value] = [None if n is None else int(uniform() * n) for n in self._simple]
        if None in values:
            return Decisions(self, sampling.complete(self.points, values, rng))
        return Decisions(self, tuple(values))

    def mutate(
        self, decisions: Decisions, rng: random.Random, rate: float | None = None
    ) -> Decisions:
        """A neighbour: exactly one active decision is different, or each with probability `rate`.

        With a rate at least one changes. Decisions that become active are drawn. A record that
        cannot be changed is returned as it is.
        """
        movable = self.mutable(decisions)
        if not movable:
            return decisions
        if rate is None:
            return self.change(decisions, movable[int(rng.random() * len(movable))], rng)
        values = list(decisions.values)
        chosen = [p for p in movable if rng.random() < rate] or [rng.choice(movable)]
        for point in chosen:
            sampling.mutate_point(self.points, values, point, rng)
        if tuple(values) == decisions.values:  # slots of one group have traded places twice
            sampling.mutate_point(self.points, values, chosen[0], rng)
        return Decisions(self, sampling.complete(self.points, values, rng))

    def mutable(self, decisions: Decisions) -> list[Point]:
        """The active decision points of a record that could have another value."""
        return sampling.mutable(self.points, decisions.values)

    def change(self, decisions: Decisions, point: Point, rng: random.Random) -> Decisions:
        """The neighbour in which a given point, one of `mutable`, is different."""
        values = list(decisions.values)
        sampling.mutate_point(self.points, values, point, rng)
        return Decisions(self, sampling.complete(self.points, values, rng))

    def crossover(self, a: Decisions, b: Decisions, rng: random.Random) -> Decisions:
        """Each decision from one of two parents (a group as a whole), then repaired."""
        values: list[Value] = []
        side: dict[tuple[int, ...], bool] = {}
        for point in self.points:
            coin = rng.random() < 0.5
            if point.group is not None:
                coin = side.setdefault(point.group.indices, coin)
            first, second = (a, b) if coin else (b, a)
            value = first.values[point.index]
            values.append(second.values[point.index] if value is None else value)
        return self.complete(values, rng)

    def complete(self, values: Sequence[Value], rng: random.Random) -> Decisions:
        """A valid record near the given values; see `sampling.complete`."""
        return Decisions(self, sampling.complete(self.points, values, rng))

    def enumerate(self, resolution: int | None = None) -> Iterator[Decisions]:
        """Every record once, lazily.

        Args:
            resolution: how many values of a continuous point to take, evenly on its scale.

        Raises:
            UserError: a continuous point and no resolution.
        """
        for point in self.points:
            if point.cardinality is None and resolution is None:
                raise UserError(
                    f"{point.id} is continuous and cannot be enumerated",
                    point.mark,
                    hint="give it a step, or give a resolution",
                )

        def places(point: Point) -> list[int | float]:
            if point.cardinality is not None:
                return [point.at(i) for i in range(point.cardinality)]
            assert resolution is not None
            return vectors.spread(point, resolution)

        return (Decisions(self, v) for v in sampling.enumerate_values(self.points, places))

    # Records ------------------------------------------------------------------------------------

    def check(self, values: Sequence[Value]) -> None:
        """Raise `UserError` unless the values are a record of this space, with every reason."""
        if len(values) != len(self.points):
            raise UserError(f"{len(values)} values for {len(self.points)} decision points")
        problems = Problems()
        for point, fault in self._faults(values):
            problems.add(fault, path=point.id)
        problems.raise_if_any()

    def _faults(self, values: Sequence[Value]) -> Iterator[tuple[Point, str]]:
        for point, value in zip(self.points, values, strict=True):
            active = sampling.is_active(point, values)
            if value is None and active:
                yield point, "is not decided"
            elif value is not None and not active:
                yield point, "is decided and does not count here"
            elif value is not None and not point.fits(value):
                yield point, f"{value!r} is not in {point.describe()}"
            elif point.group and not sampling.group_fits(point.group, values):
                rules = ["distinct"] * point.group.distinct + ["sorted"] * point.group.sorted
                yield point, f"the slots of one choice must be {' and '.join(rules)}"

    def decode(self, record: str | Mapping[str, Any]) -> Decisions:
        """Read what `Decisions.to_json` or `as_dict` wrote, perhaps for an older space.

        Raises:
            UserError: unknown points, labels that are gone, missing decisions: all of them.
        """
        if isinstance(record, str):
            import json

            try:
                record = json.loads(record)
            except (ValueError, RecursionError) as error:
                raise UserError(f"not a decision record: {error}") from None
        if not isinstance(record, Mapping):
            raise UserError(f"not a decision record: {record!r}")
        problems = Problems()
        values: list[Value] = [None] * len(self.points)
        for id, shown in record.items():
            index = self._index.get(id)
            if index is None:
                problems.add(f"no decision point {id}", hint=did_you_mean(id, self._index))
                continue
            point = self.points[index]
            values[index] = point.read(shown)
            if values[index] is None:
                hint = did_you_mean(str(shown), point.labels)
                problems.add(f"{id}: {shown!r} is not in {point.describe()}", hint=hint)
        problems.raise_if_any()
        self.check(values)
        return Decisions(self, tuple(values))

    # Programs -----------------------------------------------------------------------------------

    def materialise(self, decisions: Decisions) -> Any:
        """The static program of a record, fresh: it shares nothing that can be edited."""
        program = self._make(decisions.values)
        if isinstance(program, Symbol):
            program._placed = False
        return program

    def decisions_of(self, program: Any) -> Decisions:
        """The record that a program is made from: inverse of `materialise`.

        Raises:
            UserError: when the program is not in this space.
        """
        for found in matches(self.template, program, self._by_id):
            values = tuple(found.get(p.id) for p in self.points)
            if not any(self._faults(values)):
                return Decisions(self, values)
        raise UserError("the program lies outside of the space")

    def default(self) -> Decisions | None:
        """The static program that the choices replaced; None when it is not in the space."""
        program = static_program(self.template)
        if program is UNKNOWN:
            return None
        try:
            return self.decisions_of(program)
        except UserError:
            return None

    # Vectors ------------------------------------------------------------------------------------

    @property
    def vector_size(self) -> int:
        """The length of `vector`."""
        return vectors.size(self.points)

    def vector(self, decisions: Decisions) -> list[float]:
        """The record as numbers in [0, 1] for a model; see `vectors`."""
        return vectors.encode(self.points, decisions.values)

    def from_vector(self, vector: Sequence[float]) -> Decisions:
        """The record nearest to a vector."""
        return Decisions(self, vectors.decode(self.points, vector))
