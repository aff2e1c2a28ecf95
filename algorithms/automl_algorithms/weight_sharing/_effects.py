"""What each candidate adds to the quality of a record, by least squares over all that were judged.

A search by rewards judges hundreds of records, each on one batch with weights that are still
learning. The mean quality of those that have a candidate says little of it: the other decisions,
the batch and the moment are most of its scatter. So all of them are fitted together,

    quality = moment + sum over the decisions of (effect of its candidate) + noise

with a ridge of one judged record per candidate: one that was judged seldom has an effect near none.
Of records that were judged on the same batch only their differences are fitted, so that moment and
batch drop out (the within estimator of fixed effects); of one that was judged alone the moment is
a + b t + c t^2, t being the progress of the search. The errors are those of Bayesian linear
regression with that prior (Bishop 2006, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
        self._count = 0  # degrees of freedom of the data: a mean that was taken away is one less
        self._fit: tuple[Tensor, Tensor] | None = None

    def take(
        self, records: Sequence[Decisions], qualities: Sequence[float], progress: float
    ) -> None:
        """Records that were judged on one batch; a quality that is not finite says nothing."""
        pairs = zip(records, qualities, strict=True)
        told = [(self._row(r, progress), q) for r, q in pairs if math.isfinite(q)]
        if not told:
            return
        rows = torch.stack([row for row, _ in told])
        values = torch.tensor([quality for _, quality in told], dtype=torch.float64)
        if len(told) > 1:
            rows, values = rows - rows.mean(0), values - values.mean()
        self._moments += rows.T @ rows
        self._sums += values @ rows
        self._squares += float(values @ values)
        self._count += len(told) - (len(told) > 1)
        self._fit = None

    def _row(self, record: Decisions, progress: float) -> Tensor:
        row = torch.zeros(len(self._sums), dtype=torch.float64)
        row[0], row[1], row[2] = 1.0, progress, progress**2
        for index, first in self._first.items():
            value = record.values[index]
            if value is not None:
                row[first + record.space.points[index].place(value)] = 1.0
        return row

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
            used = float((inverse * self._moments).sum())  # degrees of freedom: trace of the hat
            rest = self._squares - 2 * effects @ self._sums + effects @ self._moments @ effects
            noise = float(rest) / max(1.0, self._count - used)
            self._fit = effects, max(noise, 0.0) * inverse
        return self._fit

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers."""
        return {
            "moments": self._moments,
            "sums": self._sums,
            "squares": self._squares,
            "count": self._count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._moments, self._sums = state["moments"].clone(), state["sums"].clone()
        self._squares, self._count, self._fit = state["squares"], state["count"], None
