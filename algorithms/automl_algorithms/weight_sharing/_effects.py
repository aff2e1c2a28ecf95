"""What each candidate adds to the quality of a record, by least squares over all that were judged.

A search by rewards judges hundreds of records, each on one batch with weights that are still
learning. The mean quality of those that have a candidate says little of it: the other decisions,
the batch and the moment are most of its scatter. So all of them are fitted together,

    quality = a + b t + c t^2 + sum over the decisions of (effect of its candidate) + noise

t being the progress of the search, with a ridge of one judged record per candidate: a candidate
that was judged seldom has an effect near none. The errors are those of Bayesian linear regression
with that prior (Bishop 2006, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from automl_spaces.decisions import Decisions

TREND: Final = 3  # 1, t, t^2


class Effects:
    """The normal equations of that fit.

    Args:
        sizes: how many candidates a decision has, by the index of its point.
    """

    def __init__(self, sizes: Mapping[int, int]) -> None:
        self._first: dict[int, int] = {}  # column of the first candidate
        columns = TREND
        for index, size in sizes.items():
            self._first[index] = columns
            columns += size
        self._moments = torch.zeros(columns, columns, dtype=torch.float64)  # X'X
        self._sums = torch.zeros(columns, dtype=torch.float64)  # X'y
        self._squares = 0.0  # y'y
        self._fit: tuple[Tensor, Tensor] | None = None

    def take(self, decisions: Decisions, quality: float, progress: float) -> None:
        """A judged record; one whose quality is not finite says nothing."""
        if not math.isfinite(quality):
            return
        columns, values = [0, 1, 2], [1.0, progress, progress**2]
        for index, first in self._first.items():
            value = decisions.values[index]
            if value is not None:
                columns.append(first + decisions.space.points[index].place(value))
                values.append(1.0)
        row = torch.tensor(values, dtype=torch.float64)
        at = torch.tensor(columns)
        self._moments[at.unsqueeze(1), at] += torch.outer(row, row)
        self._sums[at] += quality * row
        self._squares += quality**2
        self._fit = None

    def gain(self, index: int, place: int, instead: int) -> float:
        """How much better a candidate is than another one of a decision, in standard errors.

        About a normal variate where they are equal.
        """
        ours, theirs = self._first[index] + place, self._first[index] + instead
        effects, errors = self._solved()
        variance = errors[ours, ours] + errors[theirs, theirs] - 2 * errors[ours, theirs]
        return float((effects[ours] - effects[theirs]) / variance.clamp(min=1e-24).sqrt())

    def _solved(self) -> tuple[Tensor, Tensor]:
        """The effects, and the covariance of their errors."""
        if self._fit is None:
            ridge = torch.ones(len(self._sums), dtype=torch.float64)
            ridge[:TREND] = 1e-6
            inverse = torch.linalg.inv(self._moments + ridge.diag())
            effects = inverse @ self._sums
            count = float(self._moments[0, 0])
            used = float((inverse * self._moments).sum())  # degrees of freedom: trace of the hat
            rest = self._squares - 2 * effects @ self._sums + effects @ self._moments @ effects
            noise = float(rest) / max(1.0, count - used)
            self._fit = effects, max(noise, 0.0) * inverse
        return self._fit

    def state_dict(self) -> dict[str, Any]:
        """Tensors and a number."""
        return {"moments": self._moments, "sums": self._sums, "squares": self._squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._moments, self._sums = state["moments"].clone(), state["sums"].clone()
        self._squares, self._fit = state["squares"], None
