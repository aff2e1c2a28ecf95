"""What each candidate adds to the quality of a record, by least squares over all that were judged.

A search by rewards judges hundreds of records, each on one batch with weights that are still
learning. The mean quality of those that have a candidate says little of it: the other decisions,
the batch and the moment are most of its scatter. So all of them are fitted together,

    quality = moment + sum over the decisions of (effect of its candidate) + noise

with a ridge, which says how small effects are beside the noise. It is the one under which what was
judged is most probable (evidence maximisation, MacKay 1992): where effects are no more than noise
would make of none at all, they are taken for none.
Of records that were judged on the same batch only their differences are fitted, so that moment and
batch drop out (the within estimator of fixed effects); of one that was judged alone the moment is
a + b t + c t^2, t being the progress of the search. The errors are those of Bayesian linear
regression with that prior (Bishop 2006, sections 3.3 and 3.5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from automl_spaces.decisions import Decisions

TREND: Final = 3  # 1, t, t^2
FREE: Final = 1e-6  # a ridge for what may be of any size
RIDGES: Final = [10 ** (power / 4) for power in range(-8, 21)]
"""The variance of the noise by that of the effects, as they are tried."""
LEAST: Final = 1e-18  # of the noise's variance


class Gains(NamedTuple):
    """What records have more of quality than another one, as it is estimated.

    Args:
        means: one for each record, [records].
        errors: the covariance of their errors, [records, records].
    """

    means: Tensor
    errors: Tensor

    def bounds(self, doubt: float) -> Tensor:
        """The means, less by so many standard errors, [records]."""
        return self.means - doubt * self.errors.diag().clamp(min=0).sqrt()


class Effects:
    """The normal equations of that fit.

    Args:
        sizes: how many candidates a decision has, by the index of its point.
    """

    def __init__(self, sizes: Mapping[int, int]) -> None:
        self._sizes = dict(sizes)
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

    def gains(self, records: Sequence[Decisions], than: Decisions) -> Gains:
        """How much better records are than another one."""
        effects, errors = self._solved()
        changes = torch.stack([self._row(each, 0.0) for each in records]) - self._row(than, 0.0)
        return Gains(changes @ effects, changes @ errors @ changes.T)

    def candidates(self) -> dict[int, Tensor]:
        """The effect of each candidate, float64 [size], by the index of the decision's point."""
        effects, _ = self._solved()
        return {i: effects[first : first + self._sizes[i]] for i, first in self._first.items()}

    def _solved(self) -> tuple[Tensor, Tensor]:
        """The effects, and the covariance of their errors, by the most probable ridge."""
        if self._fit is None:
            _, noise, factor = max(map(self._by, RIDGES), key=lambda fit: fit[0])
            self._fit = self._effects(factor), noise * torch.cholesky_inverse(factor)
        return self._fit

    def _by(self, ridge: float) -> tuple[float, float, Tensor]:
        """For a ridge, the logarithm of the evidence but for a constant, and the fit by it.

        That is the variance of the noise and the Cholesky factor of the normal equations.
        """
        prior = torch.full_like(self._sums, ridge)
        prior[:TREND] = FREE
        factor = torch.linalg.cholesky(self._moments + prior.diag())
        freedom = max(1, self._count - TREND)
        rest = self._squares - float(self._effects(factor) @ self._sums)
        noise = max(rest / freedom, LEAST)
        evidence = -freedom * math.log(noise) - 2 * float(factor.diag().log().sum())
        return evidence + (len(prior) - TREND) * math.log(ridge), noise, factor

    def _effects(self, factor: Tensor) -> Tensor:
        return torch.cholesky_solve(self._sums[:, None], factor)[:, 0]

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
