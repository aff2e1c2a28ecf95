"""Densities that integrate to one, draws that follow them, and what is missing."""

from __future__ import annotations

import random

import numpy as np
import pytest

from automl_algorithms.multi_trial._kde import Kde, impute


def test_a_gaussian_kernel_by_hand() -> None:
    """Two rows, one dimension: bandwidth and density as written in the formulas."""
    kde = Kde(np.array([[0.2], [0.6]]), [0], 1e-3)
    h = 1.06 * 0.2 * 2 ** (-1 / 5)
    assert kde.bandwidth == pytest.approx([h])
    at = np.array([0.2, 0.5, 0.9])
    normal = [np.exp(-0.5 * ((at - x) / h) ** 2) / (h * np.sqrt(2 * np.pi)) for x in (0.2, 0.6)]
    assert np.exp(kde.log_density(at[:, None])) == pytest.approx(np.mean(normal, axis=0))


def test_a_categorical_kernel_by_hand() -> None:
    """Aitchison-Aitken: 1 - h at the row's candidate, h / 2 at each of the two others."""
    kde = Kde(np.array([[0.0], [0.0], [2.0], [0.0]]), [3], 1e-3)
    h = 1.06 * np.sqrt((1 - (0.75**2 + 0.25**2)) / 2) * 4 ** (-1 / 5)
    assert kde.bandwidth == pytest.approx([h])
    density = np.exp(kde.log_density(np.array([[0.0], [1.0], [2.0]])))
    assert density == pytest.approx(
        [0.75 * (1 - h) + 0.25 * h / 2, h / 2, 0.25 * (1 - h) + 0.75 * h / 2]
    )


def test_densities_integrate_to_one() -> None:
    """Over a numeric and an unordered dimension, far enough beyond [0, 1]."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.random(12), rng.integers(0, 4, 12)])
    kde = Kde(rows, [0, 4], 1e-3)
    grid = np.linspace(-3, 4, 2001)
    points = np.array([[x, c] for c in range(4) for x in grid])
    total = np.exp(kde.log_density(points)).sum() * (grid[1] - grid[0])
    assert total == pytest.approx(1.0, abs=1e-6)


def test_bandwidths_keep_their_bounds() -> None:
    """Equal rows get the least bandwidth; a categorical one is at most uniform."""
    same = Kde(np.array([[0.5, 1.0]] * 5), [0, 2], 1e-3)
    assert same.bandwidth == pytest.approx([1e-3, 1e-3])
    wide = Kde(np.array([[0.5, 1.0]] * 5), [0, 2], 0.9)
    assert wide.bandwidth == pytest.approx([0.9, 0.5])
    assert wide.log_density(np.array([[0.5, 0.0]])) == wide.log_density(np.array([[0.5, 1.0]]))


def test_the_order_of_candidates_does_not_matter() -> None:
    """Renaming them leaves the bandwidth as it is."""
    column = np.array([0, 1, 1, 3, 0, 1], dtype=float)
    renamed = np.array([3, 0, 2, 1])[column.astype(int)].astype(float)
    first, second = (Kde(c[:, None], [4], 1e-3).bandwidth for c in (column, renamed))
    assert first == pytest.approx(second)


def test_far_away_densities_are_small_and_not_nan() -> None:
    """The sum is taken in logarithms."""
    kde = Kde(np.array([[0.0], [0.0]]), [0], 1e-3)
    assert kde.log_density(np.array([[1.0]])) == pytest.approx(-5e5, rel=1e-3)


def test_draws_lie_near_the_rows() -> None:
    """Within [0, 1]; candidates are kept with probability 1 - h + h / levels."""
    kde = Kde(np.array([[0.05, 1.0]] * 4), [0, 4], 0.2)
    rng = random.Random(0)
    drawn = np.array([kde.draw(rng, 3.0) for _ in range(4000)])
    assert drawn[:, 0].min() >= 0
    assert drawn[:, 0].max() <= 1
    kept = np.bincount(drawn[:, 1].astype(int), minlength=4) / 4000
    assert kept == pytest.approx([0.05, 0.85, 0.05, 0.05], abs=0.02)
    deviations = (drawn[:, 0] - 0.05) / 0.6
    inside = np.random.default_rng(0).normal(size=100_000)
    inside = inside[(inside > -0.05 / 0.6) & (inside < 0.95 / 0.6)]
    assert deviations.mean() == pytest.approx(inside.mean(), abs=0.03)
    assert deviations.std() == pytest.approx(inside.std(), abs=0.03)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_draws_with_an_extreme_bandwidth(factor: float) -> None:
    """A point, and nearly uniform: neither hangs nor leaves [0, 1]."""
    kde = Kde(np.array([[0.0], [1.0]]), [0], 1e-3)
    drawn = [kde.draw(random.Random(i), factor)[0] for i in range(500)]
    assert 0 <= min(drawn) <= max(drawn) <= 1
    spread = 0.5 if factor < 1 else 12**-0.5
    assert np.std(drawn) == pytest.approx(spread, abs=0.03)


def test_missing_entries_come_from_the_same_column() -> None:
    """In turn; an empty numeric column is spread, an empty unordered one takes every candidate."""
    nan = np.nan
    rows = np.array([[0.1, nan, nan], [nan, nan, nan], [0.3, nan, nan], [nan, nan, nan], [nan] * 3])
    assert impute(rows, [0, 0, 2]) == pytest.approx(
        np.array([[0.1, 0.1, 0], [0.1, 0.3, 1], [0.3, 0.5, 0], [0.3, 0.7, 1], [0.1, 0.9, 0]])
    )
    assert np.isnan(rows[1, 0])
