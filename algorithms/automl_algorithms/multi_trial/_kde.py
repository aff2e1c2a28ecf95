"""Kernel density estimates over mixed spaces, as BOHB needs them.

Rows are points of a space as numbers: a numeric dimension is a place in [0, 1], an unordered one
the index of a candidate; NaN stands for a decision that does not count. `levels` tells which is
which: the number of candidates, or 0 for a numeric dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class Kde:
    """A product of one kernel for each dimension, centred on each row.

    Numeric dimensions have a Gaussian kernel, unordered ones that of Aitchison and Aitken
    (Biometrika 63, 1976): 1 - h at the row's own candidate, h / (levels - 1) at the others.

    The bandwidth is the normal reference rule 1.06 sigma n^(-1 / (4 + d)). The deviation of an
    unordered dimension is taken as sqrt((1 - sum p^2) / 2), p being the candidates' frequencies:
    half the expected squared distance of two draws is a variance, and for two candidates the one
    of their indices. (statsmodels, which HpBandSter uses, takes that of the indices always, so
    that it depends on the candidates' order.)

    Args:
        rows: (n, d), n at least 1, no NaN.
        levels: of each dimension.
        least: bandwidths are not below it.
    """

    def __init__(self, rows: Array, levels: Sequence[int], least: float) -> None:
        self.rows, self.levels = rows, list(levels)
        n, d = rows.shape
        sigma = [_deviation(rows[:, j], k) for j, k in enumerate(levels)]
        wide = np.array([1.0 - 1.0 / k if k else np.inf for k in levels])  # uniform
        reference = 1.06 * np.array(sigma) * n ** (-1.0 / (4 + d))
        self.bandwidth: Array = np.minimum(np.maximum(reference, least), wide)  # (d,)

    def log_density(self, points: Array) -> Array:
        """The logarithm of the density at each of (m, d) points: (m,)."""
        m, n = len(points), len(self.rows)
        exponent: Array = np.zeros((m, n))
        for j, (k, h) in enumerate(zip(self.levels, self.bandwidth, strict=True)):
            difference = points[:, j, None] - self.rows[None, :, j]  # (m, n)
            if k:
                exponent += np.where(difference == 0, np.log(1.0 - h), np.log(h / (k - 1)))
            else:
                exponent -= 0.5 * (difference / h) ** 2 + np.log(h * np.sqrt(2 * np.pi))
        top = exponent.max(axis=1)
        density = np.exp(exponent - top[:, None]).mean(axis=1)
        return np.asarray(np.log(density) + top)

    def draw(self, rng: random.Random, factor: float) -> list[float]:
        """A point near a random row, as HpBandSter draws it.

        A number comes from a normal of `factor` bandwidths, cut to [0, 1]; a candidate is kept
        with probability 1 - h and else drawn from all.
        """
        row = self.rows[int(rng.random() * len(self.rows))]
        point = []
        for mean, k, h in zip(row.tolist(), self.levels, self.bandwidth.tolist(), strict=True):
            if not k:
                point.append(_truncated_normal(mean, h * factor, rng))
            elif rng.random() < 1.0 - h:
                point.append(mean)
            else:
                point.append(float(int(rng.random() * k)))
        return point


def _deviation(column: Array, levels: int) -> float:
    if not levels:
        return float(column.std())
    frequencies = np.bincount(column.astype(int), minlength=levels) / len(column)
    return float(np.sqrt((1.0 - (frequencies**2).sum()) / 2))


def _truncated_normal(mean: float, deviation: float, rng: random.Random) -> float:
    """A draw from a normal distribution within [0, 1], by the inverse of its integral."""
    normal = NormalDist(mean, deviation)
    low, high = normal.cdf(0.0), normal.cdf(1.0)
    quantile = low + rng.random() * (high - low)
    return min(max(normal.inv_cdf(min(max(quantile, 1e-15), 1 - 1e-15)), 0.0), 1.0)


def impute(rows: Array, levels: Sequence[int]) -> Array:
    """Replace NaN: each column's missing entries take those it has, in turn.

    So a decision that rarely counts keeps the distribution it has where it does count, as in
    HpBandSter, which picks donors at random. A column without any is spread over its range.
    """
    filled = rows.copy()
    for j, k in enumerate(levels):
        missing = np.isnan(rows[:, j])
        count = int(missing.sum())
        if not count:
            continue
        donors = rows[~missing, j]
        if not len(donors):
            donors = np.arange(k, dtype=float) if k else (np.arange(count) + 0.5) / count
        filled[missing, j] = np.resize(donors, count)
    return filled
