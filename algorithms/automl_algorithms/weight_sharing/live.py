"""Arguments of a program that are searched beside its network: live ones and inert ones.

A stepwise program may name
- `live_arguments`, whose new value can act from the next step on (an optimiser, an augmentation).
  Its method `adopt(name, value)` is handed them, built, between steps;
- `inert_arguments`, which take no part in the training and act through costs alone (an
  accelerator). They are optional, and the supernet's program is built without them.

A decision point in them has a gate as those of the network have, which no module asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from automl_algorithms.weight_sharing.elastic import Open
from automl_algorithms.weight_sharing.tree import mapped, opens
from automl_spaces.errors import AutomlError, UserError
from automl_spaces.points import Point, Value
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol, build, clone


class LiveArgument:
    """An argument of a program, with choices in it, that can change between steps.

    Args:
        name: of the argument.
        tree: its value with `Open` in the place of each choice.

    Attributes:
        indices: of the decision points in it.
    """

    def __init__(self, name: str, tree: Any) -> None:
        self.name, self.tree = name, tree
        self.indices = _indices(tree)

    def hand(self, program: Any, values: Sequence[Value]) -> None:
        """Let the program adopt what a record's values, one for each point of the space, say.

        Raises:
            UserError: the value cannot be built, or the program does not take it.
        """
        symbolic = decided(self.tree, values)
        try:
            program.adopt(self.name, build(symbolic))
        except AutomlError:
            raise
        except Exception as error:
            what = f"it cannot be {symbolic!r}: {type(error).__name__}: {error}"
            raise UserError(what, path=self.name) from error

    def variants(self, values: Sequence[Value]) -> Iterator[list[Value]]:
        """Records in which every candidate here has its turn, the other values as they are."""
        for place in opens(self.tree):
            for index in range(place.gate.size):
                changed = list(values)
                changed[place.gate.point.index] = place.gate.point.at(index)
                yield changed


class Apart(NamedTuple):
    """A program's tree, and what is searched beside the network.

    Args:
        tree: every live argument has the value it begins with; open inert ones are left out.
        arguments: the live ones with choices in them.
        live: the indices of the points in these.
        inert: of those that stand in inert arguments alone.
        stepping: of those that stand in the argument `optimizer` alone: no loss depends on them.
    """

    tree: Any
    arguments: Sequence[LiveArgument] = ()
    live: frozenset[int] = frozenset()
    inert: frozenset[int] = frozenset()
    stepping: frozenset[int] = frozenset()


def names(tree: Any, kind: str) -> tuple[str, ...]:
    """The `live_arguments` or `inert_arguments` of a program's class."""
    found: tuple[str, ...] = ()
    if isinstance(tree, Symbol) and isinstance(tree.type.target, type):
        found = getattr(tree.type.target, kind, ())
    return found


def apart(tree: Any, values: Sequence[Value]) -> Apart:
    """Take a program's tree apart.

    Args:
        values: that live arguments begin with, one for each point of the space.
    """
    if not isinstance(tree, Symbol):
        return Apart(tree)
    opened = [name for name, value in tree.args.items() if next(opens(value), None) is not None]
    live = [LiveArgument(n, tree.args[n]) for n in names(tree, "live_arguments") if n in opened]
    inert = [name for name in names(tree, "inert_arguments") if name in opened]
    args = {name: value for name, value in tree.args.items() if name not in inert}
    alone = _indices([tree.args[name] for name in inert]) - _indices(args)
    others = [value for name, value in args.items() if name != "optimizer"]
    indices = frozenset[int]().union(*(each.indices for each in live))
    stepping = (_indices(args) - _indices(others)) & indices
    args |= {each.name: decided(each.tree, values) for each in live}
    return Apart(Symbol(tree.type, args, tree.mark), live, indices, alone, stepping)


def beginning(space: Space) -> list[Value]:
    """A value for each point: the static program's, else the first, or the middle of a range."""
    default = space.default()
    known: Sequence[Value] = [None] * len(space.points) if default is None else default.values
    return [_first(p) if v is None else v for p, v in zip(space.points, known, strict=True)]


def decided(tree: Any, values: Sequence[Value]) -> Any:
    """A copy of a tree with every decision in it made; values are one for each point."""
    if isinstance(tree, Open):
        point = tree.gate.point
        value = values[point.index]
        assert value is not None, f"{point.id} is inactive, and was met"
        if point.kind != "categorical":
            return value
        return decided(tree.values[int(value)], values)
    if isinstance(tree, Symbol):
        args = {name: decided(value, values) for name, value in tree.args.items()}
        return Symbol(tree.type, args, tree.mark)
    if isinstance(tree, list | tuple | dict):
        return mapped(tree, lambda child, key: decided(child, values))
    return clone(tree)


def _first(point: Point) -> int | float:
    return point.from_unit(0.5) if point.cardinality is None else point.at(0)


def _indices(tree: Any) -> frozenset[int]:
    return frozenset(place.gate.point.index for place in opens(tree))
