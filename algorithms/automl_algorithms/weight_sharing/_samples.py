"""Relaxed records of architecture and hyperparameters, drawn from a policy of logits."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from automl_algorithms.weight_sharing import derivation
from automl_algorithms.weight_sharing._hyperparameters import Hyperparameters, Setting
from automl_algorithms.weight_sharing._numbers import Number
from automl_algorithms.weight_sharing._relaxed import relaxed
from automl_algorithms.weight_sharing.derivation import Policy, allowed
from automl_algorithms.weight_sharing.gates import Gradient
from automl_algorithms.weight_sharing.logits import Logits
from automl_spaces.points import Value
from automl_spaces.sampling import is_active


class Sample(NamedTuple):
    """A relaxed record.

    Args:
        setting: the record, and what its numbers beside the network are.
        weights: [size] of each point that may have a part in it, differentiable in the logits.
    """

    setting: Setting
    weights: dict[int, Tensor]


class Sampler:
    """Draws records, and names the best.

    Args:
        logits: of all gates; a range is given logits of its own.
        hyper: the hyperparameters.
        bases: values that stand for a range, evenly spaced in its coordinate.
        scale: standard deviation of the logits of ranges, in the beginning.

    Attributes:
        basis: of the numbers beside the network, by index: coordinates [size] of the values that
            they are combinations of.
    """

    def __init__(
        self, logits: Logits, hyper: Hyperparameters, bases: int, scale: float, noise: Generator
    ) -> None:
        self.logits, self.hyper, self.net = logits, hyper, hyper.net
        self.basis = {i: _basis(number, bases) for i, number in hyper.numbers.items()}
        for index, basis in self.basis.items():
            if not self.net.gates[index].size:
                logits.of[index] = (
                    scale * torch.randn(len(basis), generator=noise)
                ).requires_grad_()

    def policy(self) -> Policy:
        """Ranges, which have no candidates, are left out."""
        return {i: p for i, p in self.logits.probabilities().items() if self.net.gates[i].size}

    def draw(self, tau: float, noise: Generator) -> Sample:
        """A relaxed record, the constraints of groups included."""
        net, numbers = self.net, self.hyper.numbers
        values: list[Value] = []
        weights: dict[int, Tensor] = {}
        chosen: dict[int, float] = {}
        for point in net.space.points:
            index = point.index
            active = is_active(point, values)
            if index not in net.gates or not (active or index not in net.live):
                values.append(net.settled.get(index))
                continue
            logits, possible = self.logits.of[index], allowed(point, values)
            if possible is not None:
                logits = logits.where(torch.tensor(possible), -torch.inf)
            weights[index] = drawn = relaxed(logits, tau, noise)
            if index in numbers:
                number = numbers[index]
                chosen[index] = number.value(float((drawn.detach() * self.basis[index]).sum()))
                values.append(number.decided(chosen[index]))
            else:
                values.append(point.at(int(drawn.argmax())) if active else None)
        return Sample(Setting(tuple(values), chosen), weights)

    def pick(self, sample: Sample, indices: Collection[int], gradient: Gradient) -> None:
        """Open gates of layers to the gradient; inactive ones, too, for they may be met."""
        for index, weights in sample.weights.items():
            inactive = sample.setting.values[index] is None
            if index not in self.net.live and (index in indices or inactive):
                self.net.gates[index].pick(weights, int(weights.argmax()), gradient)

    def bests(self) -> Setting:
        """Every hyperparameter at its best, active or not; of layers nothing."""
        numbers = {i: self._number(i) for i in self.hyper.numbers}
        values: list[Value] = [None] * len(self.net.space.points)
        for index in self.net.live:
            if index in numbers:
                values[index] = self.hyper.numbers[index].decided(numbers[index])
            else:
                best = int(self.logits.of[index].argmax())
                values[index] = self.net.space.points[index].at(best)
        return Setting(tuple(values), numbers)

    def record(
        self, bests: Setting, rng: random.Random | None, like: Sequence[Value] | None = None
    ) -> Setting:
        """A record with these hyperparameters.

        Args:
            bests: as of `bests`.
            rng: draws the layers; None for the most probable ones.
            like: values of another record, whose layers are taken as far as they are active.
        """
        net = self.net
        policy: dict[int, Sequence[float]] = dict(self.policy())
        known: dict[int, Value] = dict(net.settled)
        for index in net.gates:
            value = bests.values[index]
            if value is None and like is not None:
                value = like[index]
            if value is None:
                continue
            known[index] = value
            if index in policy:
                place = net.space.points[index].place(value)
                policy[index] = derivation.one_hot(place, len(policy[index]))
        found = (
            derivation.argmax(net.space, policy, known)
            if rng is None
            else derivation.sample(net.space, policy, rng, known)
        )
        active = {i: v for i, v in bests.numbers.items() if found.values[i] is not None}
        return Setting(found.values, active)

    def _number(self, index: int) -> float:
        """What a number is by the policy: its mean, in its coordinate."""
        chances = self.logits.of[index].detach().softmax(0)
        return self.hyper.numbers[index].value(float((chances * self.basis[index]).sum()))


def _basis(number: Number, bases: int) -> Tensor:
    if not number.values:
        return torch.linspace(*number.ends, bases)
    return torch.tensor([number.coordinate(value) for value in number.values])
