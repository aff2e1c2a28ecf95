"""Lowering: from a space to one program whose model holds every candidate, with shared weights.

The program's own classes build everything; they are handed switches in the place of modules that
are a choice. In order of preference
1. a choice between modules becomes a `Switch`, wherever it stands;
2. a choice inside of a module becomes what the class's elastic rule makes of it, else a switch
   between whole copies of the nearest module around it, one for each value;
3. a choice in a live or inert argument of the program is searched beside the network: see `live`;
4. any other choice outside of modules has no place: the caller settles it, or it is an error.

A module is what builds a `torch.nn.Module`, or has `build_for` or `assemble` as those do that
make their layers later.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_type_hints

from torch import nn

from automl_algorithms.weight_sharing.elastic import Open, find_rule
from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.live import names
from automl_algorithms.weight_sharing.switch import Switch, SwitchForData, building
from automl_algorithms.weight_sharing.tree import below, listed, mapped, opens
from automl_spaces.choices import Choice, has_choices
from automl_spaces.compiler import candidate_labels, id_of, join, slots_of
from automl_spaces.errors import AutomlError, Mark, Problems, UserError
from automl_spaces.points import Point, Value
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol, build, clone

MOST_COPIES = 64
"""Of one module: more would be slow to build and would hardly be trained."""

Settle = Callable[[Point], Value]
"""The value of a decision point outside of modules; None to refuse, or to have it searched."""


class Lowering:
    """Builds the program of a space with a gate for each of its decision points.

    Attributes:
        gates: of the points that are searched, by index.
        settled: the values of those that the caller decided, by index.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.gates: dict[int, Gate] = {}
        self.settled: dict[int, Value] = {}
        self._copied: list[Gate] = []  # the choices within whose copies the walk is

    def settle(self, tree: Any, settle: Settle | None) -> Any:
        """The tree with every decision made that the caller makes.

        Raises:
            UserError: all decisions that have no place in the supernet, when one is not made.
        """
        beside: set[Gate] = set()
        while place := next((p for p in _outside_program(tree) if p.gate not in beside), None):
            point = place.gate.point
            value = None if settle is None else settle(point)
            if value is None:
                if any(p.gate is place.gate for p in _misplaced(tree)):
                    raise _outside_error(tree)
                beside.add(place.gate)
                continue
            if not point.fits(value):
                raise ValueError(f"{point.id}: {value!r} is not in {point.describe()}")
            self.settled[point.index] = value
            tree = bind(tree, place.gate, value)
        self.gates = {p.gate.point.index: p.gate for p in opens(tree)}
        return tree

    def build_program(self, tree: Any) -> Any:
        """The built program; it is no module of a network, even when its class is one.

        Raises:
            UserError: see `build`.
        """
        return self._call(tree) if isinstance(tree, Symbol) else self.build(tree)

    def opened(self, value: Any, prefix: str = "") -> Any:
        """A copy of a part of the template with `Open` in the place of each choice."""
        if not has_choices(value):
            return clone(value)
        if isinstance(value, Choice):
            id = id_of(value, prefix)
            places = [self._opened_choice(value, slot) for slot in slots_of(value, id)]
            return places if value.type.name in ("manyof", "permutate") else places[0]
        if isinstance(value, Symbol):
            args = {k: self.opened(v, join(prefix, k)) for k, v in value.args.items()}
            return Symbol(value.type, args, value.mark)
        return mapped(value, lambda child, key: self.opened(child, join(prefix, key)))

    def _opened_choice(self, choice: Choice, id: str) -> Open:
        point = self.space.point(id)
        gate = self.gates.setdefault(point.index, Gate(point))
        if point.kind != "categorical":
            return Open(gate, gate.values)
        named = zip(candidate_labels(choice), choice.args["candidates"], strict=True)
        return Open(gate, tuple(self.opened(each, f"{id}({label})") for label, each in named))

    def build(self, value: Any) -> Any:
        """What a part of the tree builds into, with switches in it.

        Raises:
            UserError: a choice that cannot be shared, with its id.
        """
        if next(opens(value), None) is None:
            return build(value)
        if isinstance(value, Open):
            return self._switch(value)
        if isinstance(value, Symbol):
            return self._node(value) if makes_module(value) else self._call(value)
        return mapped(value, lambda child, key: self.build(child))

    def _switch(self, place: Open) -> Any:
        point = place.gate.point
        if not makes_module(place):
            raise UserError(
                "chooses between values, and the rule of the class around it wants modules",
                point.mark,
                path=point.id,
            )
        return self._switched(place.gate, lambda i: bind(place.values[i], place.gate, i))

    def _node(self, node: Symbol) -> Any:
        found = find_rule(node)
        shares, rule = found or ((), None)
        place = next(_values_in(v for k, v in node.args.items() if k not in shares), None)
        if place is not None:
            return self._copies(node, place.gate)
        shared = [v for k, v in node.args.items() if k in shares]
        if rule is not None and next(opens(shared), None) is not None:
            made = rule(node, self.build)
            if made is not None:
                return made
            place = next(_values_in(shared), None)
            if place is not None:
                return self._copies(node, place.gate)
        return self._call(node)

    def _copies(self, node: Symbol, gate: Gate) -> Any:
        """The node once per value; what else is open in it is met again in each copy."""
        point = gate.point
        if not gate.size:
            raise UserError(
                f"{node.type.name} cannot be built for every value of {point.describe()}",
                point.mark,
                path=point.id,
                hint="give it a step, or list the values",
            )
        self._copied.append(gate)
        if math.prod(g.size for g in self._copied) > MOST_COPIES:
            ids = [g.point.id for g in self._copied]
            raise UserError(
                f"{node.type.name} would be copied for all values of {', '.join(ids)} together, "
                f"more than {MOST_COPIES} times",
                point.mark,
                path=point.id,
                hint=f"declare an elastic rule for {node.type.name}, or leave some of them out",
            )
        copies = self._switched(gate, lambda i: bind(node, gate, point.at(i)))
        self._copied.pop()
        return copies

    def _switched(self, gate: Gate, candidate: Callable[[int], Any]) -> Any:
        built = []
        for i in range(gate.size):
            with building(gate, i):
                built.append(self.build(candidate(i)))
        if any(hasattr(each, "build_for") for each in built):
            return SwitchForData(built, gate)
        for each, label in zip(built, gate.values, strict=True):
            if not isinstance(each, nn.Module):
                raise UserError(
                    f"the candidate {label} builds a {type(each).__name__}, not a torch.nn.Module",
                    gate.point.mark,
                    path=gate.point.id,
                )
        return Switch(built, gate)

    def _call(self, node: Symbol) -> Any:
        made = Symbol(node.type, {k: self.build(v) for k, v in node.args.items()}, node.mark)
        with around_choices(node.type.name, (p.gate for p in opens(node)), node.mark):
            return made.build()


@contextmanager
def around_choices(name: str, gates: Iterable[Gate], mark: Mark | None = None) -> Iterator[None]:
    """Tell what a class raises, that looked into a switch for what only a module has."""
    try:
        yield
    except AutomlError:
        raise
    except ValueError as error:  # it does not like a plain argument, choice or not
        raise UserError(f"{name} cannot be built: {error}", mark) from error
    except Exception as error:
        raise UserError(
            f"{name} cannot be built around a choice: {type(error).__name__}: {error}",
            mark,
            path=listed(gate.point.id for gate in gates),
            hint="declare an elastic rule for the class that asked for it",
        ) from error


def outside(value: Any) -> Iterator[Open]:
    """The open places of a program that no module holds, outer ones first."""
    if makes_module(value):
        return
    if isinstance(value, Open):
        yield value
    for child in below(value):
        yield from outside(child)


def _outside_program(tree: Any) -> Iterator[Open]:
    return _values_in(tree.args.values() if isinstance(tree, Symbol) else [tree])


def _misplaced(tree: Any) -> Iterator[Open]:
    """The open places that are neither in a module nor in an argument that is searched beside."""
    beside = {*names(tree, "live_arguments"), *names(tree, "inert_arguments")}
    parts = tree.args.items() if isinstance(tree, Symbol) else [("", tree)]
    return _values_in(value for name, value in parts if name not in beside)


def _values_in(parts: Iterable[Any]) -> Iterator[Open]:
    """The open places that belong to the node with these arguments, not to a module below it."""
    for part in parts:
        yield from outside(part)


def bind(value: Any, gate: Gate, decided: int | float) -> Any:
    """A copy of a tree in which one decision is made: a candidate's index, or the number itself."""
    if isinstance(value, Open):
        if value.gate is not gate:
            return Open(value.gate, tuple(bind(v, gate, decided) for v in value.values))
        if gate.point.kind != "categorical":
            return decided
        return bind(value.values[int(decided)], gate, decided)
    if isinstance(value, Symbol):
        args = {k: bind(v, gate, decided) for k, v in value.args.items()}
        return Symbol(value.type, args, value.mark)
    if isinstance(value, list | tuple | dict):
        return mapped(value, lambda child, key: bind(child, gate, decided))
    return clone(value)


def makes_module(value: Any) -> bool:
    """Whether a part of a tree builds into a module, whatever is decided."""
    if isinstance(value, Open):
        return bool(value.values) and all(map(makes_module, value.values))
    if not isinstance(value, Symbol):
        return isinstance(value, nn.Module)
    target = value.type.target
    if not isinstance(target, type):
        target = _returned(target)
    late = hasattr(target, "build_for") or hasattr(target, "assemble")
    return issubclass(target, nn.Module) or late


def _returned(function: Callable[..., Any]) -> type:
    """The class that a function is annotated to return; `object` when it does not say."""
    try:
        found = get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        return object
    return found if inspect.isclass(found) else object


def _outside_error(tree: Any) -> UserError:
    problems = Problems()
    why = "so one network cannot hold all of its values"
    live = names(tree, "live_arguments")
    if live:
        why = f"and {tree.type.name} cannot change it between steps (it can: {', '.join(live)})"
    for gate in dict.fromkeys(place.gate for place in _misplaced(tree)):
        problems.add(
            f"stands outside of modules, {why}",
            gate.point.mark,
            path=gate.point.id,
            hint="search it by trials (random, evolution, bayesian), or give it one value",
        )
    return UserError(problems.found)
