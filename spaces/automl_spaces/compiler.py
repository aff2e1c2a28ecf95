"""From a tree with choices to decision points, and to a function that fills the tree in.

Compiling happens once per space: it walks the tree, gives every choice its id and conditions,
and turns the tree into nested closures, so that materialising a decision record costs little
more than making its nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from automl_spaces.choices import Choice, has_choices
from automl_spaces.errors import Problems, UserError
from automl_spaces.paths import format_path
from automl_spaces.points import Group, Kind, Point, Value, labels_of
from automl_spaces.symbols import ATOMS, Symbol, clone
from automl_spaces.traversal import children

_SHARING = "one name is one decision: give them the same candidates, or other names"
Maker = Callable[[Sequence[Value]], Any]


def join(prefix: str, key: Any) -> str:
    """The id of a place below another, written as a path."""
    written = format_path((key,))
    return f"{prefix}.{written}" if prefix and written[0] != "[" else prefix + written


def id_of(choice: Choice, prefix: str) -> str:
    """A shared name, or else the place."""
    return choice.args.get("name") or prefix or "program"


def slots_of(choice: Choice, id: str) -> list[str]:
    """The ids of the scalar decisions of a choice: one, or one per slot."""
    kind = choice.type.name
    if kind not in ("manyof", "permutate"):
        return [id]
    k = choice.args["k"] if kind == "manyof" else len(choice.args["candidates"])
    return [f"{id}[{slot}]" for slot in range(k)]


def candidate_labels(choice: Choice) -> tuple[str, ...]:
    """The labels of a choice's candidates."""
    return labels_of(choice.args["candidates"], choice.args.get("labels"))


def _point(choice: Choice, id: str, labels: tuple[str, ...]) -> Point:
    args = choice.args
    if choice.type.name in ("floatv", "intv"):
        kind: Kind = "float" if choice.type.name == "floatv" else "int"
        low, high, step = args["min"], args["max"], choice.get("step")
        cast = float if kind == "float" else int
        return Point(
            id, kind, min=cast(low), max=cast(high), scale=choice.get("scale"),
            step=None if step is None else cast(step), mark=choice.mark,
        )  # fmt: skip
    numbers = tuple(args["candidates"]) if all(map(_is_number, args["candidates"])) else None
    return Point(id, "categorical", labels, numbers, mark=choice.mark)


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < math.inf  # infinity and NaN are known by their labels


class Collector:
    """Finds every decision point of a tree: what it is, and under which conditions it counts."""

    def __init__(self) -> None:
        self.points: dict[str, Point] = {}
        self.conditions: dict[str, list[tuple[str, int] | None]] = {}
        self.kinds: dict[str, tuple[str, list[str], bool, bool]] = {}
        self.named: dict[str, bool] = {}

    def visit(
        self, value: Any, prefix: str, condition: tuple[str, int] | None, open: tuple[str, ...] = ()
    ) -> None:
        """Collect below a value that stands at `prefix` and counts under `condition`."""
        if isinstance(value, Choice):
            self._choice(value, id_of(value, prefix), condition, open)
            return
        for key, child in children(value):
            if not isinstance(child, ATOMS):
                self.visit(child, join(prefix, key), condition, open)

    def _choice(
        self, choice: Choice, id: str, condition: tuple[str, int] | None, open: tuple[str, ...]
    ) -> None:
        if id in open:
            raise UserError(f"the choice named {id} stands inside of itself", choice.mark)
        problems = Problems()
        choice.type.check(choice.args, problems, choice.mark)  # it may have been edited
        problems.raise_if_any()
        name, slots = choice.type.name, slots_of(choice, id)
        distinct = name == "permutate" or choice.args.get("distinct", True)
        kind = (name, slots, distinct, choice.args.get("sorted", False))
        named = bool(choice.args.get("name"))
        if self.named.setdefault(id, named) != named:
            raise UserError(f"{id} is the name of one choice and the place of another", choice.mark)
        if self.kinds.setdefault(id, kind) != kind:
            raise UserError(f"the choices named {id} differ in kind", choice.mark, hint=_SHARING)
        candidates = choice.args.get("candidates", ())
        labels = candidate_labels(choice) if candidates else ()
        for slot in slots:
            self._occurrence(_point(choice, slot, labels), condition)
        for slot in slots:
            for i, candidate in enumerate(candidates):
                if not isinstance(candidate, ATOMS):
                    self.visit(candidate, f"{slot}({labels[i]})", (slot, i), (*open, id))

    def _occurrence(self, point: Point, condition: tuple[str, int] | None) -> None:
        known = self.points.get(point.id)
        if known is None:
            self.points[point.id] = point
            self.conditions[point.id] = [condition]
            return
        if known.spec() != point.spec():
            raise UserError(
                f"the choices named {point.id} differ: {known.describe()} and {point.describe()}",
                point.mark or known.mark,
                hint=_SHARING,
            )
        if condition not in self.conditions[point.id]:
            self.conditions[point.id].append(condition)

    def finish(self) -> tuple[Point, ...]:
        """The points with their indices, parents before children."""
        together = {slot: kind[1] for kind in self.kinds.values() for slot in kind[1]}
        conditions = {
            id: [] if None in given else [c for c in given if c is not None]
            for id, given in self.conditions.items()
        }
        order: dict[str, None] = {}
        visiting: set[str] = set()

        def place(id: str) -> None:
            if id in order:
                return
            if id in visiting:
                raise UserError(f"the choice {id} depends on itself", self.points[id].mark)
            visiting.update(together[id])
            for parent, _ in conditions[id]:
                place(parent)
            order.update(dict.fromkeys(together[id]))  # slots count at the same time

        for id in self.points:
            place(id)
        index = {id: i for i, id in enumerate(order)}
        groups = {
            id: Group(tuple(index[s] for s in slots), distinct, sorted_)
            for name, slots, distinct, sorted_ in self.kinds.values()
            if name in ("manyof", "permutate")
            for id in slots
        }
        for id, i in index.items():
            point = self.points[id]
            point.index, point.group = i, groups.get(id)
            point.conditions = tuple((index[parent], chosen) for parent, chosen in conditions[id])
        return tuple(self.points[id] for id in index)


def compile_maker(value: Any, prefix: str, index: dict[str, int]) -> Maker:
    """A function from the values of the points to a fresh, static tree."""
    if not has_choices(value):
        return _static(value)
    if isinstance(value, Choice):
        return _choice_maker(value, id_of(value, prefix), index)
    if isinstance(value, Symbol):
        return _node_maker(value, prefix, index)
    if isinstance(value, dict):
        made = {k: compile_maker(v, join(prefix, k), index) for k, v in value.items()}
        return lambda values: {k: make(values) for k, make in made.items()}
    makers = [compile_maker(v, join(prefix, i), index) for i, v in enumerate(value)]
    if isinstance(value, tuple):
        return lambda values: tuple([make(values) for make in makers])
    return lambda values: [make(values) for make in makers]


def _static(value: Any) -> Maker:
    if isinstance(value, ATOMS):
        return lambda values: value

    def copy(values: Sequence[Value]) -> Any:
        new = clone(value)
        if isinstance(new, Symbol):
            new._placed = True
        return new

    return copy


def _node_maker(node: Symbol, prefix: str, index: dict[str, int]) -> Maker:
    type, mark = node.type, node.mark
    template = {k: v if isinstance(v, ATOMS) else None
                for k, v in node.args.items()}  # fmt: skip
    makers = [
        (k, compile_maker(v, join(prefix, k), index))
        for k, v in node.args.items()
        if not isinstance(v, ATOMS)
    ]

    def make(values: Sequence[Value]) -> Symbol:
        args = template.copy()
        for key, maker in makers:
            args[key] = maker(values)
        made = Symbol(type, args, mark)
        made._placed = True  # the root's maker is told otherwise by `Space.materialise`
        return made

    return make


def _choice_maker(choice: Choice, id: str, index: dict[str, int]) -> Maker:
    slots = slots_of(choice, id)
    if "candidates" not in choice.args:
        number = index[id]
        return lambda values: values[number]
    candidates = choice.args["candidates"]
    constants = tuple(candidates) if all(isinstance(c, ATOMS) for c in candidates) else None
    labels = candidate_labels(choice) if constants is None else ()

    def pick(slot: str) -> Maker:
        place = index[slot]
        if constants is not None:
            return lambda values: constants[values[place]]  # type: ignore[index]
        makers = [
            compile_maker(c, f"{slot}({label})", index)
            for c, label in zip(candidates, labels, strict=True)
        ]
        return lambda values: makers[values[place]](values)  # type: ignore[index]

    picks = [pick(slot) for slot in slots]
    if choice.type.name == "oneof":
        return picks[0]
    return lambda values: [each(values) for each in picks]
