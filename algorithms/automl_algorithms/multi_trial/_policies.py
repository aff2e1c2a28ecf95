"""Policies: distributions of decision records that learn by gradient.

- `Independent`: every decision has a distribution of its own; the parameters are its outputs.
- `Autoregressive`: a decision depends on those before it, through one hidden layer: NADE,
  Larochelle and Murray, "The neural autoregressive distribution estimator", AISTATS 2011, with
  tanh, and with numbers as in RNADE (Uria, Murray, Larochelle, NIPS 2013):

      a_1 = c,  a_(d+1) = a_d + V_d x_d        x_d: features of decision d
      outputs of head d = b_d + W_d tanh(a_d) / H

The division by H lets one step of Adam change an output no more than a bias does. Shapes are
explained in `_policies_heads`; H hidden units.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from automl_algorithms.multi_trial._policies_heads import Array, Batch, Choice, Heads, Normal
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.sampling import is_active

if TYPE_CHECKING:
    from automl_spaces.points import Value
    from automl_spaces.space import Space

HIDDEN: Final = 32  # H
START: Final = 1e-3  # deviation of the initial outputs, as in NATS-Bench


class Policy(ABC):
    """A distribution over the records of a space.

    Attributes:
        heads: of the space.
        parameters: all of them in one array, to be changed in place.
    """

    parameters: Array

    def __init__(self, space: Space, heads: Heads) -> None:
        self.space, self.heads = space, heads

    def draw(self, rng: random.Random) -> Decisions:
        """One record, decision by decision."""
        values: list[Value] = [None] * self.heads.size
        for head, outputs in self._walk(values):
            if is_active(head.point, values):
                values[head.point.index] = head.draw(outputs, values, rng)
        return Decisions(self.space, tuple(values))

    @abstractmethod
    def _walk(self, values: Sequence[Value]) -> Iterator[tuple[Choice | Normal, Sequence[float]]]:
        """Each head and its outputs, given the values that are known when it is asked for."""

    @abstractmethod
    def forward(self, batch: Batch) -> tuple[Array, Callable[[Array], Array]]:
        """The outputs under which the decisions of a batch are drawn, and the way back.

        Returns:
            outputs: (B, O), or (1, O) when all trials share them.
            pull: from a derivative by the outputs, (B, O), to that by the parameters.
        """


class Independent(Policy):
    """The parameters are the outputs: (O,)."""

    def __init__(self, space: Space, heads: Heads, rng: random.Random) -> None:
        super().__init__(space, heads)
        self.parameters = _gaussian(rng, START, heads.outputs)

    def _walk(self, values: Sequence[Value]) -> Iterator[tuple[Choice | Normal, Sequence[float]]]:
        outputs = self.parameters.tolist()
        for head, rows, _ in self.heads.blocks:
            yield head, outputs[rows]

    def forward(self, batch: Batch) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs that do not depend on the batch."""
        return self.parameters[None], lambda slope: slope.sum(axis=0)


class Autoregressive(Policy):
    """NADE: b (O,), c (H,), W (O, H), V (F, H), in this order in `parameters`."""

    def __init__(self, space: Space, heads: Heads, rng: random.Random) -> None:
        super().__init__(space, heads)
        near_one = (heads.size or 1) ** -0.5  # what V adds up to over all decisions
        self.parameters = np.concatenate(
            [
                _gaussian(rng, START, heads.outputs),
                _gaussian(rng, 1.0, HIDDEN),
                _gaussian(rng, START, heads.outputs * HIDDEN),
                _gaussian(rng, near_one, heads.features * HIDDEN),
            ]
        )
        self._b, self._c, self._w, self._v = self._split(self.parameters)

    def _split(self, parameters: Array) -> tuple[Array, Array, Array, Array]:
        outputs = self.heads.outputs
        at = [outputs, outputs + HIDDEN, outputs + HIDDEN + outputs * HIDDEN]
        b, c, w, v = np.split(parameters, at)
        return b, c, w.reshape(-1, HIDDEN), v.reshape(-1, HIDDEN)

    def _walk(self, values: Sequence[Value]) -> Iterator[tuple[Choice | Normal, Sequence[float]]]:
        a = self._c.copy()
        for head, rows, columns in self.heads.blocks:
            yield head, (self._b[rows] + self._w[rows] @ np.tanh(a) / HIDDEN).tolist()
            value = values[head.point.index]
            if value is not None:
                offset, feature = head.feature(value)
                a += feature * self._v[columns.start + offset]

    def forward(self, batch: Batch) -> tuple[Array, Callable[[Array], Array]]:
        """Decision by decision, for all trials at once."""
        x, blocks = batch.features, self.heads.blocks
        outputs: Array = np.empty((len(x), self.heads.outputs))
        hidden, a = [], np.tile(self._c, (len(x), 1))  # (B, H)
        for _, rows, columns in blocks:
            hidden.append(np.tanh(a))
            outputs[:, rows] = self._b[rows] + hidden[-1] @ self._w[rows].T / HIDDEN
            a += x[:, columns] @ self._v[columns]

        def pull(slope: Array) -> Array:
            gradient: Array = np.empty(self.parameters.shape)
            d_b, d_c, d_w, d_v = self._split(gradient)
            scaled, d_a = slope / HIDDEN, np.zeros((len(x), HIDDEN))
            for (_, rows, columns), h in zip(reversed(blocks), reversed(hidden), strict=True):
                d_v[columns] = x[:, columns].T @ d_a
                d_w[rows] = scaled[:, rows].T @ h
                d_a += scaled[:, rows] @ self._w[rows] * (1 - h * h)
            d_b[:], d_c[:] = slope.sum(axis=0), d_a.sum(axis=0)
            return gradient

        return outputs, pull


POLICIES: Final = {"independent": Independent, "autoregressive": Autoregressive}


def check(policy: str, continuous: str, bins: int) -> None:
    """Raise `UserError` unless there is such a policy."""
    if policy not in POLICIES:
        raise UserError(f"there is no policy {policy}", hint=did_you_mean(policy, POLICIES))
    if continuous not in {"gaussian", "bins"}:
        raise UserError(
            f"continuous must be gaussian or bins, got {continuous}",
            hint=did_you_mean(continuous, ["gaussian", "bins"]),
        )
    if bins < 2:
        raise UserError(f"bins must be at least 2, got {bins}")


def make(
    policy: str, space: Space, continuous: Literal["gaussian", "bins"], bins: int, seed: int
) -> Policy:
    """A policy whose initial parameters depend on the seed and on nothing else."""
    rng = random.Random(f"policy {seed}")
    return POLICIES[policy](space, Heads(space.points, continuous, bins), rng)


def _gaussian(rng: random.Random, deviation: float, size: int) -> Array:
    return np.array([rng.gauss(0.0, deviation) for _ in range(size)])
