"""Values at a budget, by the protocol of NATS-Bench."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cli.report_budget import Budget, at_budget, interpolate
from automl_cli.study_report import grouped
from tests.automl_cli.report_studies import NAN, row, study

SECONDS = "simulated_seconds"


def test_the_golden_value() -> None:
    """Two visited points around the budget, as the published figures interpolate them."""
    assert interpolate(np.array([19_000.0, 20_500.0]), np.array([90.0, 92.0]), 20_000) == (
        pytest.approx(91.3333, abs=1e-4)
    )


@given(
    st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=2, max_size=20),
    st.floats(1, 1000),
)
def test_it_is_query_performance(steps: list[tuple[float, float]], ticket: float) -> None:
    """The published arithmetic, written as its authors did."""
    times, values = np.cumsum([t for t, _ in steps]), np.array([v for _, v in steps])
    (time_a, a), (time_b, b) = sorted(
        zip(times, values, strict=True), key=lambda point: abs(point[0] - ticket)
    )[:2]
    expected = (time_b - ticket) / (time_b - time_a) * a + (ticket - time_a) / (time_b - time_a) * b
    assert interpolate(times, values, ticket) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_odd_trajectories() -> None:
    """Nothing visited, one point, points without a value, and points at the same time."""
    assert math.isnan(interpolate(np.array([]), np.array([]), 5.0))
    assert interpolate(np.array([3.0]), np.array([7.0]), 5.0) == 7.0
    times = np.array([1.0, 2.0, 2.0, 4.0])
    assert interpolate(times, np.array([NAN, 6.0, 8.0, 10.0]), 3.0) == 9.0


def test_incumbents_are_looked_up_by_another_metric() -> None:
    """The search sees `m` only: a lower final value of a better incumbent is the result."""
    (group,) = grouped([
        study([0.5, 0.7, 0.6], simulated_seconds=[10, 10, 10], final=[90.0, 80.0, 99.0]),
        study([0.5, NAN, 0.9], row(seed=1), simulated_seconds=[10, NAN, 10], final=[90, NAN, 70]),
    ])  # fmt: skip
    found = at_budget(group, Budget(SECONDS, 25.0), ["final", "m"])
    assert found.values["final"].tolist() == [80.0, 60.0]
    assert found.short == 1
    assert found.moments("final") == (70.0, 10.0)  # of the population: divided by 2, not 1


def test_what_is_recommended_is_what_the_search_comes_to() -> None:
    """At the budget that ended it; at an earlier one nothing was recommended yet."""
    about = row()._replace(recommended=2)  # trials count from 1 here
    (group,) = grouped([
        study([0.5, 0.7, 0.9], about, simulated_seconds=[10, 10, 10], final=[90.0, 80.0, 70.0])
    ])  # fmt: skip
    for amount, expected in ((25.0, 80.0), (30.0, 80.0), (40.0, 80.0), (20.0, 80.0), (10.0, 90.0)):
        found = at_budget(group, Budget(SECONDS, amount), ["final"])
        assert found.values["final"].tolist() == [expected]
    (searched,) = group.studies
    assert (searched.best_trial, searched.best["m"], searched.final) == (2, 0.7, 0.9)


def test_low_fidelity_counts_as_published() -> None:
    """The incumbent is the best over all observations, whatever their budget."""
    (group,) = grouped([
        study([0.9, 0.5], simulated_seconds=[1, 9], final=[1.0, 2.0], budgets=[1, 12])
    ])  # fmt: skip
    found = at_budget(group, Budget(SECONDS, 10.0), ["final"])
    assert found.values["final"].tolist() == [1.0]
    assert group.studies[0].best_trial == 2
