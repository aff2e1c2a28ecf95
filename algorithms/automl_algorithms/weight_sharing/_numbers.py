"""Numbers beside the network that a search moves continuously: a learning rate, a weight decay.

A number has a coordinate in which it moves: its natural logarithm where its scale is logarithmic,
else itself as a share of its range. Lists of numbers are ranges too, between their ends, and are
logarithmic when their positive values differ by a factor of ten or more; a 0 among them is one
step below the smallest positive value. In the end a number of a list is the nearest candidate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from automl_algorithms.weight_sharing.elastic import Open
from automl_algorithms.weight_sharing.live import LiveArgument, beginning
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_algorithms.weight_sharing.tree import mapped
from automl_spaces.points import Point, Value
from automl_spaces.symbols import Symbol

Role = Literal["rate", "decay", "step", "loss"]
"""What a number does: it is a learning rate, a weight decay, something else in the optimiser's
step (a momentum), or something in the loss (label smoothing, the strength of a mixup)."""

_ROLES: Mapping[frozenset[str], Role] = {
    frozenset({"lr"}): "rate",
    frozenset({"weight_decay"}): "decay",
    frozenset(): "loss",
}
_RATE: Mapping[str, str] = {"initial_lr": "lr"}
WIDE = 10.0  # ratio of the ends of a list from which on it is logarithmic


class Number:
    """A decision point of numbers.

    Args:
        point: of numbers: a range, or candidates that all are numbers.

    Attributes:
        values: the candidates, by place; none for a continuum.
        low, high: the ends of the range.
    """

    def __init__(self, point: Point) -> None:
        self.point, self.index = point, point.index
        places = range(point.cardinality or 0)
        self.values: list[float] = [float(point.show(point.at(place))) for place in places]
        ends = self.values or [point.min, point.max]
        self.low, self.high = min(ends), max(ends)
        self._span = self.high - self.low or 1.0
        positive = sorted({value for value in ends if value > 0})
        wide = len(positive) > 1 and self.low >= 0 and positive[-1] / positive[0] >= WIDE
        self.log = wide if point.kind == "categorical" else point.scale == "log"
        if self.log:
            step = math.log(positive[1] / positive[0]) if self.low == 0 else 0.0
            self._bottom = math.log(positive[0]) - step

    @property
    def ends(self) -> tuple[float, float]:
        """The coordinates of the ends."""
        return self.coordinate(self.low), self.coordinate(self.high)

    def coordinate(self, value: float) -> float:
        """Where a value is."""
        if not self.log:
            return value / self._span
        return math.log(value) if value > 0 else self._bottom

    def value(self, coordinate: float) -> float:
        """What is at a coordinate; within the range."""
        if not self.log:
            return min(max(coordinate * self._span, self.low), self.high)
        if coordinate <= self._bottom:
            return self.low
        return min(math.exp(coordinate), self.high)

    def slope(self, coordinate: float) -> float:
        """The derivative of the value by the coordinate."""
        return math.exp(max(coordinate, self._bottom)) if self.log else self._span

    def chances(self, value: float) -> list[float]:
        """The candidates' shares in a value, those of its two neighbours: as a policy tells it."""
        at = self.coordinate(value)
        order = sorted((self.coordinate(v), place) for place, v in enumerate(self.values))
        found = [0.0] * len(order)
        above = next((i for i, (c, _) in enumerate(order) if c >= at), len(order) - 1)
        below = max(above - 1, 0)
        gap = order[above][0] - order[below][0]
        share = min(1.0, (at - order[below][0]) / gap) if gap > 0 else 1.0
        found[order[below][1]] += 1 - share
        found[order[above][1]] += share
        return found

    def decided(self, value: float) -> Value:
        """What a record says of a value: the nearest candidate, or the number itself."""
        if not self.values:
            return round(value) if self.point.kind == "int" else value
        at = self.coordinate(value)
        return self.point.at(
            min(range(len(self.values)), key=lambda i: abs(self.coordinate(self.values[i]) - at))
        )


def is_number(point: Point) -> bool:
    """Whether all that can be decided at a point are numbers."""
    return point.kind != "categorical" or point.numbers is not None


def hand(net: Supernet, values: Sequence[Value], numbers: Mapping[int, float]) -> None:
    """As `net.adopt`, with numbers in the place of what a record can say of these points.

    Raises:
        UserError: a value cannot be built, or the program does not take it.
    """
    for argument in net._arguments:
        LiveArgument(argument.name, _filled(argument.tree, numbers)).hand(net.program, values)


class Part(NamedTuple):
    """What a number has a part in.

    Args:
        role: of the number.
        slopes: of what it sets in each group of the optimiser, by its value; a decay's alone.
    """

    role: Role
    slopes: Sequence[float] = ()


def part_of(net: Supernet, number: Number) -> Part:
    """Found by setting the number to both ends of its range.

    The live arguments are as in the beginning afterwards.
    """
    values, groups = reaching(net, number.point), []
    for value in (number.low, number.high):
        hand(net, values, {number.index: value})
        groups.append([dict(group, params=None) for group in net.program.optimizer.param_groups])
    net.adopt(beginning(net.space))
    both = list(zip(*groups, strict=True))
    # At the beginning of a warm-up the rate itself is 0, whatever it is to become.
    changed = frozenset(_RATE.get(k, k) for a, b in both for k in a if a[k] != b[k])
    role = _ROLES.get(changed, "step")
    if role == "loss" and number.index in net.stepping:
        role = "step"  # a range of one value
    if role != "decay":
        return Part(role)
    span = number.high - number.low
    return Part(role, [(b["weight_decay"] - a["weight_decay"]) / span for a, b in both])


def reaching(net: Supernet, point: Point) -> list[Value]:
    """Values for all points, as in the beginning but for what makes a point active."""
    values = beginning(net.space)
    while point.conditions:
        parent, candidate = point.conditions[0]
        values[parent] = candidate
        point = net.space.points[parent]
    return values


def _filled(tree: Any, numbers: Mapping[int, float]) -> Any:
    """A copy with numbers in the place of the open places of these points."""
    if isinstance(tree, Open):
        number = numbers.get(tree.gate.point.index)
        if number is not None:
            return round(number) if tree.gate.point.kind == "int" else number
        return Open(tree.gate, tuple(_filled(value, numbers) for value in tree.values))
    if isinstance(tree, Symbol):
        args = {name: _filled(value, numbers) for name, value in tree.args.items()}
        return Symbol(tree.type, args, tree.mark)
    if isinstance(tree, list | tuple | dict):
        return mapped(tree, lambda child, key: _filled(child, numbers))
    return tree
