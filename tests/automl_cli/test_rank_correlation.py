"""Kendall's tau-b against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cli.rank_correlation import kendall_tau


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 4 / 6),  # one of six pairs is the other way round
        ([1, 2, 3, 4, 5], [3, 4, 1, 2, 5], 2 / 10),
        ([1, 1, 2], [1, 2, 3], 2 / math.sqrt(2 * 3)),  # one pair tied in the first list
        ([1, 1, 2, 3], [1, 1, 2, 2], 4 / math.sqrt(5 * 4)),  # a tie in both, and one more
    ],
)
def test_tau_by_hand(first: list[float], second: list[float], tau: float) -> None:
    """Concordant less discordant pairs, over the geometric mean of the pairs that are not tied."""
    assert kendall_tau(first, second) == pytest.approx(tau)


def test_nothing_to_rank_is_nan() -> None:
    """A list of equal values has no order, nor has a single value."""
    assert math.isnan(kendall_tau([1, 1, 1], [1, 2, 3]))
    assert math.isnan(kendall_tau([1], [2]))
    assert math.isnan(kendall_tau([], []))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_tau_is_symmetric_and_turns_with_an_order(pairs: list[tuple[int, int]]) -> None:
    """tau(x, y) = tau(y, x) = -tau(x, -y), within [-1, 1], and of ranks alone."""
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    tau = kendall_tau(first, second)
    assert kendall_tau(second, first) == pytest.approx(tau, nan_ok=True)
    assert kendall_tau(first, [-y for y in second]) == pytest.approx(-tau, nan_ok=True)
    assert kendall_tau([math.exp(x) for x in first], second) == pytest.approx(tau, nan_ok=True)
    assert math.isnan(tau) or abs(tau) <= 1 + 1e-12
