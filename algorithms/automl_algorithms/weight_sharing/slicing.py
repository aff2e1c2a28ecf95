"""Numbers that follow from gates, such as the channels of a layer in a supernet.

A rule does with them what the static class does with plain numbers:

    hidden = lift(operator.mul, channels, expansion)

is a plain number when both are, and else knows `channels * expansion` for every candidate of
every gate that either depends on. What counts at the moment is one value, or several with their
weights: see `Elastic.terms`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from automl_algorithms.weight_sharing.elastic import Open
from automl_algorithms.weight_sharing.gates import Choose, Gate, Interpolate, Mix
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from automl_algorithms.weight_sharing.elastic import Decided

T = TypeVar("T")

MOST_VALUES = 100_000


class Terms(NamedTuple, Generic[T]):
    """The values that count at the moment.

    Attributes:
        values: n of them; one may occur more than once.
        weights: [n]; None for the one value of a path.
        interpolated: whether the values are widths that TAS interpolates between.
    """

    values: list[T]
    weights: Tensor | None = None
    interpolated: bool = False


class Elastic(Generic[T]):
    """A value for every joint choice of some gates; `lift` makes new ones from it.

    Args:
        gates: what it depends on.
        values: one for each joint choice, the last gate's index running fastest.
    """

    def __init__(self, gates: Sequence[Gate], values: Sequence[T]) -> None:
        self.gates, self.values = tuple(gates), tuple(values)

    def terms(self) -> Terms[T]:
        """What counts at the moment; weights are products of those that the gates give.

        Raises:
            RuntimeError: a gate that draws afresh at every use; layers would not fit together.
        """
        places = [0]
        weights: Tensor | None = None
        interpolated = False
        for gate in self.gates:
            if gate.drawn:
                raise RuntimeError(f"{gate.point.id} is a size: it needs one choice for a pass")
            use = gate.use()
            match use:
                case Choose(index):
                    indices: Sequence[int] = (index,)
                    given = None
                case Interpolate(i, j, given):
                    indices, interpolated = (i, j), True
                case Mix(given):
                    indices = range(gate.size)
                case _ if use.gradient == "selected":
                    indices = (use.index,)
                    given = use.hard[use.index : use.index + 1]
                case _:
                    indices, given = range(gate.size), use.hard
            places = [place * gate.size + index for place in places for index in indices]
            if given is not None:
                weights = given if weights is None else (weights[:, None] * given).flatten()
        return Terms([self.values[place] for place in places], weights, interpolated)

    def at(self, decided: Decided) -> T:
        """The value in the architecture of a record."""
        place = 0
        for gate in self.gates:
            place = place * gate.size + decided(gate)
        return self.values[place]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Elastic):
            return NotImplemented
        return self.gates == other.gates and self.values == other.values

    def __hash__(self) -> int:
        return hash((self.gates, self.values))

    def __repr__(self) -> str:
        return f"<{self.values} by {', '.join(g.point.id for g in self.gates)}>"


Width = int | Elastic[int]


def elastic(argument: Any) -> Any:
    """An argument of a symbol: elastic where it is `Open`, else as it is.

    Raises:
        UserError: when the candidates are a continuum, or one of them is a choice again.
    """
    if not isinstance(argument, Open):
        return argument
    point = argument.gate.point
    if not argument.values:
        raise UserError(
            f"weights cannot be shared between all sizes of {point.describe()}",
            point.mark,
            path=point.id,
            hint="give it a step, or list the values",
        )
    if any(isinstance(value, Open) for value in argument.values):
        raise UserError(
            "weights cannot be shared where a size is a choice inside of a choice",
            point.mark,
            path=point.id,
            hint="list all sizes in one choice",
        )
    return lift(lambda value: value, Elastic([argument.gate], argument.values))


def lift(function: Callable[..., T], *args: Any) -> T | Elastic[T]:
    """A function of values of which some are elastic; a plain value if nothing depends on a gate.

    Raises:
        UserError: when the value depends on more joint choices than can be listed.
    """
    gates = list(dict.fromkeys(g for a in args if isinstance(a, Elastic) for g in a.gates))
    sizes = [gate.size for gate in gates]
    if math.prod(sizes) > MOST_VALUES:
        raise UserError(
            f"a size depends on {len(gates)} choices with {math.prod(sizes):,} combinations: "
            + ", ".join(gate.point.id for gate in gates),
            hint="give choices that belong together one name",
        )
    values = []
    for indices in itertools.product(*map(range, sizes)):
        index = dict(zip(gates, indices, strict=True))
        values.append(function(*[at(arg, index.__getitem__) for arg in args]))
    if all(value == values[0] for value in values):
        return values[0]
    return Elastic(gates, values)


def at(value: Any, decided: Decided) -> Any:
    """A value, elastic or not, in the architecture of a record."""
    return value.at(decided) if isinstance(value, Elastic) else value


def terms(value: T | Elastic[T]) -> Terms[T]:
    """What counts of a value, elastic or not, at the moment."""
    return value.terms() if isinstance(value, Elastic) else Terms([value])


def largest(width: Width) -> int:
    """The number of channels on the widest path."""
    return max(width.values) if isinstance(width, Elastic) else width


def computed(width: Width) -> int:
    """The number of channels to compute at the moment: the largest that counts."""
    return max(width.terms().values) if isinstance(width, Elastic) else width


def share(condition: bool | Elastic[bool]) -> bool | Tensor:
    """The weight with which a condition holds at the moment; plainly True or False if certain."""
    values, weights, _ = terms(condition)
    if weights is None or len(set(values)) == 1:
        return values[0]
    return weights[[i for i, holds in enumerate(values) if holds]].sum()
