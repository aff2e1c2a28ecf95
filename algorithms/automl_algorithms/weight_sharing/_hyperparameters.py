"""How a validation loss depends on hyperparameters, through the next step of the weights.

For a number the answer is a derivative by its coordinate, for a choice of kinds a value for each
kind: what the loss becomes with it, to first order, but for a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from automl_algorithms.weight_sharing import _update
from automl_algorithms.weight_sharing._numbers import Number, hand, is_number, part_of
from automl_algorithms.weight_sharing._update import Gradient
from automl_algorithms.weight_sharing.live import beginning
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.points import Value
from automl_spaces.sampling import is_active


class Setting(NamedTuple):
    """A record whose numbers beside the network need be no candidates.

    Args:
        values: one for each point, of numbers the nearest that a record can say.
        numbers: what they are, by index; the active ones.
    """

    values: tuple[Value, ...]
    numbers: Mapping[int, float]


class Hyperparameters:
    """The live decision points of a supernet.

    Attributes:
        start: a value for each point of the space: the static program's.
        numbers: the points that are numbers, by index.
        parts: what they act on.
        kinds: the indices of the others.
        in_loss: the indices of the points that the training loss depends on.
    """

    def __init__(self, net: Supernet) -> None:
        self.net, self.start = net, beginning(net.space)
        points = [net.space.points[index] for index in sorted(net.live)]
        self.numbers = {p.index: Number(p) for p in points if is_number(p)}
        self.parts = {index: part_of(net, number) for index, number in self.numbers.items()}
        self.kinds = [p.index for p in points if p.index not in self.numbers]
        self.in_loss = {i for i, part in self.parts.items() if part.role == "loss"}
        self.in_loss |= set(self.kinds) - net.stepping

    def beginning(self) -> Setting:
        """The static program's hyperparameters, active or not; of layers nothing."""
        points = self.net.space.points
        values = tuple(v if i in self.net.live else None for i, v in enumerate(self.start))
        shown = ((i, values[i]) for i in self.numbers)
        return Setting(values, {i: float(points[i].show(v)) for i, v in shown if v is not None})

    def set(self, setting: Setting) -> None:
        """The network's path, and what acts from the next step on."""
        self.net.choose(Decisions(self.net.space, setting.values))
        self.adopt(setting)

    def adopt(self, setting: Setting) -> None:
        """What acts from the next step on, alone."""
        hand(self.net, setting.values, setting.numbers)

    def plain(self, setting: Setting) -> Setting:
        """The same with a loss that is not regularised: with the smallest numbers in it."""
        least = {
            i: min(self.numbers[i].low, self.numbers[i].high, key=abs)
            for i in self.in_loss & setting.numbers.keys()
        }
        return setting._replace(numbers={**setting.numbers, **least})

    def by_step(
        self, setting: Setting, bests: Setting, v: Gradient
    ) -> dict[int, float | list[float]]:
        """Of what acts in the optimiser's step alone. The setting is adopted in the end.

        Args:
            setting: of the step; the gradients of the weights are there.
            bests: what a kind that is not the setting's has below it.
            v: the gradient of the validation loss after the step.

        Returns:
            By index; a kind that ruins the weights has an infinite value.
        """
        self.adopt(setting)
        here = _update.outcome(self.net, v)
        found: dict[int, float | list[float]] = {}
        for index, number in self.numbers.items():
            if index in self.in_loss or index not in setting.numbers:
                continue
            value = setting.numbers[index]
            other = self._other(index, value)
            self.adopt(_with_number(setting, index, other))
            slope = (_update.outcome(self.net, v) - here) / (other - value)
            found[index] = slope * number.slope(number.coordinate(value))
        for index in self.kinds:
            if index in self.in_loss or setting.values[index] is None:
                continue
            found[index] = outcomes = []
            for place in range(self.net.gates[index].size):
                self.adopt(self.with_kind(setting, bests, index, place))
                outcomes.append(_update.outcome(self.net, v))
        self.adopt(setting)
        return found

    def by_loss(
        self, setting: Setting, bests: Setting, slope: Callable[[Setting], float]
    ) -> dict[int, float | list[float]]:
        """Of what the training loss depends on.

        Args:
            setting, bests: as of `by_step`.
            slope: of the training loss with a setting, in the direction J v.

        Returns:
            By index.
        """
        found: dict[int, float | list[float]] = {}
        here: float | None = None
        for index in sorted(self.in_loss):
            if setting.values[index] is None:
                continue
            number = self.numbers.get(index)
            if number is None:
                found[index] = [
                    slope(self.with_kind(setting, bests, index, place))
                    for place in range(self.net.gates[index].size)
                ]
                continue
            value = setting.numbers[index]
            other = farther(number, value)
            here = slope(setting) if here is None else here
            there = slope(_with_number(setting, index, other))
            derivative = (there - here) / (other - value) if other != value else 0.0
            found[index] = derivative * number.slope(number.coordinate(value))
        return found

    def with_kind(self, setting: Setting, bests: Setting, index: int, place: int) -> Setting:
        """Another candidate of a choice of kinds, with what is below it at its best."""
        points = self.net.space.points
        values, numbers = list(setting.values), dict(setting.numbers)
        values[index] = points[index].at(place)
        for point in points[index + 1 :]:
            i = point.index
            if i not in self.net.live or not point.conditions:
                continue
            active = is_active(point, values)
            if active and values[i] is None:
                values[i] = bests.values[i]
                if i in self.numbers:
                    numbers[i] = bests.numbers[i]
            elif not active:
                values[i] = None
                numbers.pop(i, None)
        return Setting(tuple(values), numbers)

    def _other(self, index: int, value: float) -> float:
        """Another value, to see by what it changes in the step."""
        number, role = self.numbers[index], self.parts[index].role
        if role == "rate":  # linear
            return value / 2 or number.high
        if role == "decay":  # linear, or nearly so if it changes little
            weights = [w for w in self.net.model.parameters() if w.grad is not None]
            size = _update.norm([w.detach() for w in weights])
            gradient = _update.norm([w.grad for w in weights if w.grad is not None])
            return value + _update.SHARE * (gradient + 1e-12) / max(size, 1e-12)
        at, (low, high) = number.coordinate(value), number.ends
        step = _update.SHARE * (high - low)
        return number.value(at + step if at + step <= high else at - step)


def farther(number: Number, value: float) -> float:
    """The end of the range that is farther away from a value."""
    return max(number.low, number.high, key=lambda end: abs(end - value))


def _with_number(setting: Setting, index: int, value: float) -> Setting:
    return setting._replace(numbers={**setting.numbers, index: value})
