"""Time to target."""

from __future__ import annotations

import pytest

from automl_cli.report_targets import reached
from automl_cli.study_report import grouped
from automl_spaces.objective import Objective
from tests.automl_cli.report_studies import NAN, group, row, study


def test_share_and_median_over_those_that_reached_it() -> None:
    """A value that equals the target reaches it; a seed that never does is not in the median."""
    found = reached(group([0.1, 0.5, 0.9], [0.9, 0.1], [0.2, 0.4], [NAN, NAN, 0.2, 0.8]), 0.8)
    assert found.share == 0.75
    assert found.until["trials"].tolist() == [3.0, 1.0, float("inf"), 4.0]
    assert found.median("trials") == 3.0


def test_small_is_good_when_the_objective_says_so() -> None:
    """The direction decides which side of the target counts."""
    found = reached(group([5.0, 3.0], goals=[Objective("loss", "minimize")]), 4.0)
    assert found.until["trials"].tolist() == [2.0]


def test_costs_are_added_up_until_the_target() -> None:
    """Seconds where trials tell them, what was missing counts as nothing."""
    (made,) = grouped([study([0.1, NAN, 0.9, 1.0], seconds=[1.0, NAN, 4.0, 8.0])])
    found = reached(made, 0.9)
    assert list(found.until) == ["trials", "seconds"]
    assert found.median("seconds") == 5.0


def test_never() -> None:
    """No median of nothing."""
    found = reached(group([0.1]), 0.9)
    assert (found.share, found.median("trials")) == (0.0, None)


@pytest.mark.parametrize(("charge", "expected"), [("resumed", 12.0), ("scratch", 16.0)])
def test_simulated_seconds_are_those_of_the_budget(charge: str, expected: float) -> None:
    """A trial that goes on from another is charged what it adds, or all if the recipe says so."""
    about = row()._replace(recipe=f"budget: {{charge: {charge}}}\n")
    times = [4.0, 0.0, 12.0]
    made = study([0.1, 0.2, 0.9], about, simulated_seconds=times, budgets=[1, 1, 3],
                 parents=[-1, -1, 1])  # fmt: skip
    found = reached(grouped([made])[0], 0.9)
    assert found.until["simulated_seconds"].tolist() == [expected]
