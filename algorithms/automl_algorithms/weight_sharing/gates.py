"""Gates: which of a decision point's candidates the next forward pass uses, and how.

A supernet has one gate per decision point, shared by every place where the point acts. An
algorithm sets it; the modules in the network ask it. Nothing else connects the two, so one
supernet serves RSPS, ENAS and TuNAS (`choose`, `draw`), DARTS and FBNetV2 (`mix`), GDAS (`pick`)
and TAS (`interpolate`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from automl_spaces.points import Point

Gradient = Literal["all", "sum", "selected"]
"""How a hard choice is differentiated, h_j being its weights (Dong and Yang 2019, GDAS, arXiv
1910.04465). The value is the selected candidate's output in all three.

- all: y = sum_j h_j op_j(x), straight through; every candidate is computed.
- sum: y = h_i op_i(x) + sum_{j != i} h_j, the bare numbers: as the authors' code has it.
- selected: y = h_i op_i(x).
"""


MOST_CANDIDATES = 4096
"""Of one gate: a finer range of numbers counts as a continuum, which no network holds."""


@dataclass(frozen=True)
class Choose:
    """Candidate `index` alone is computed."""

    index: int


@dataclass(frozen=True)
class Mix:
    """Every candidate is computed and weighted; differentiable in `weights` [size]."""

    weights: Tensor


@dataclass(frozen=True)
class Pick:
    """The value is candidate `index`; the gradient reaches the relaxed `weights` [size]."""

    weights: Tensor
    index: int
    gradient: Gradient = "all"

    @property
    def hard(self) -> Tensor:
        """h [size]: exactly one-hot in value, with the gradient of `weights`."""
        onehot = one_hot(self.weights.new_tensor(self.index).long(), len(self.weights))
        through = self.weights - self.weights.detach()
        return onehot + (onehot * through if self.gradient == "selected" else through)


@dataclass(frozen=True)
class Interpolate:
    """Two widths, brought to one by interpolating channels, weighted by `q` [2]: TAS."""

    i: int
    j: int
    q: Tensor


Use = Choose | Mix | Pick | Interpolate


class Gate:
    """What one decision point does in the forward pass.

    Args:
        point: the decision point.

    Attributes:
        size: number of candidates; 0 for a continuum.
        values: what a record calls each of them: numbers where all are numbers, else labels.
    """

    def __init__(self, point: Point) -> None:
        self.point = point
        self.size = point.cardinality or 0
        if self.size > MOST_CANDIDATES:
            self.size = 0
        self.values: tuple[Any, ...] = tuple(point.show(point.at(i)) for i in range(self.size))
        self._use: Use | Callable[[], int] | None = None

    # What an algorithm calls.

    def choose(self, index: int) -> None:
        """A sampled path: compute this candidate only."""
        self._use = Choose(self._checked(index))

    def mix(self, weights: Tensor) -> None:
        """All candidates, weighted by [size]."""
        self._use = Mix(self._sized(weights))

    def pick(self, weights: Tensor, index: int, gradient: Gradient = "all") -> None:
        """The value of one candidate, with a gradient for the weights [size] behind it."""
        self._use = Pick(self._sized(weights), self._checked(index), gradient)

    def draw(self, sampler: Callable[[], int]) -> None:
        """A fresh index at every use: in a network of many cells each has its own operation."""
        self._use = sampler

    def interpolate(self, i: int, j: int, q: Tensor) -> None:
        """Two different widths, weighted by [2]."""
        if i == j:
            raise ValueError(f"{self.point.id}: cannot interpolate {i} with itself")
        self._use = Interpolate(self._checked(i), self._checked(j), q)

    def reset(self) -> None:
        """Forget what was set: a pass that comes by here is an error until it is set again."""
        self._use = None

    def mix_evenly(self) -> None:
        """All candidates, each with the same weight."""
        self.mix(torch.full((self.size,), 1 / self.size))

    def choose_largest(self) -> None:
        """The candidate of the largest number: of sizes."""
        self.choose(max(range(self.size), key=self.values.__getitem__))

    # What a module calls.

    @property
    def drawn(self) -> bool:
        """Whether each use draws afresh, so that two uses in one pass may differ."""
        return callable(self._use)

    def use(self) -> Use:
        """What this pass shall do; a module asks once in each forward pass.

        Raises:
            RuntimeError: when nothing was set.
        """
        if self._use is None:
            raise RuntimeError(f"nothing was chosen for the gate of {self.point.id}")
        if not isinstance(self._use, Use):
            return Choose(self._checked(self._use()))
        return self._use

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(f"{self.point.id} has {self.size} candidates, not one at {index}")
        return index

    def _sized(self, weights: Tensor) -> Tensor:
        if weights.shape != (self.size,):
            raise ValueError(
                f"{self.point.id} needs weights of shape [{self.size}], got {list(weights.shape)}"
            )
        return weights

    def __deepcopy__(self, memo: dict[int, Any]) -> Gate:
        return self  # a module that copies its layers copies their weights, not the decision

    def __repr__(self) -> str:
        return f"<gate of {self.point.id}: {self._use}>"
