"""When a search ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from automl_algorithms.contract import Plan
from automl_cli.limits import HOPELESS, Limits
from automl_cli.progress import Finished, Progress
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective

NOTHING: Any = None  # decisions, which no limit looks at


def _progress(*states: str, seconds: float | None = None) -> Progress:
    progress = Progress([Objective("accuracy")], None)
    metrics = {"accuracy": 0.5} | ({} if seconds is None else {"simulated_seconds": seconds})
    for number, state in enumerate(states):
        progress.take(Finished(number, state, "{}", metrics, "", 3.0))
    return progress


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(), ""),
        (Limits(trials=5), ""),
        (Limits(trials=4), "trials"),
        (Limits(epochs=12.1), ""),
        (Limits(epochs=12), "epochs"),
        (Limits(simulated_seconds=21), ""),
        (Limits(simulated_seconds=20), "simulated_seconds"),
    ],
)
def test_running_trials_count_where_their_cost_is_known(limits: Limits, reason: str) -> None:
    """Two trials of 3 epochs and 10 seconds are over, two of 3 epochs run."""
    assert limits.reached(_progress("completed", "completed", seconds=10.0), 2, 6.0) == reason


def test_seconds_count_from_the_start_of_this_run() -> None:
    """What an earlier run took is not charged; what comes before the trials is."""
    progress, began = _progress("completed"), time.monotonic() - 10
    assert progress.started > began + 9
    assert Limits(seconds=9, began=began).reached(progress, 0, 0.0) == "seconds"
    assert Limits(seconds=60, began=began).reached(progress, 0, 0.0) == ""
    assert Limits(seconds=9).reached(progress, 0, 0.0) == ""


def test_a_search_without_hope_ends() -> None:
    """Ten failures and nothing else, or as many failures as were allowed."""
    hopeless = _progress(*["failed"] * HOPELESS)
    assert Limits().reached(hopeless, 0, 0.0) == "failures"
    assert Limits().reached(_progress("completed", *["failed"] * 50), 0, 0.0) == ""
    assert Limits(max_failed=2).reached(_progress("completed", "failed", "failed"), 0, 0.0)


def test_budgets_that_nothing_fits_in_are_refused() -> None:
    """The first plan tells of epochs, the first result of simulated seconds."""
    with pytest.raises(UserError, match="no trial fits in 2 epochs: the first one takes 3"):
        Limits(epochs=2).check_plan(Plan(NOTHING, 3.0), _progress())
    with pytest.raises(UserError, match="needs an algorithm that grants them"):
        Limits(epochs=2).check_plan(Plan(NOTHING), _progress())
    Limits(epochs=2).check_plan(Plan(NOTHING, 3.0), _progress("completed"))
    trial = Finished(0, "completed", "{}", {"accuracy": 0.5, "simulated_seconds": 30.0}, "")
    first = _progress("completed", seconds=30.0)
    with pytest.raises(UserError, match="no trial fits in 20 simulated seconds"):
        Limits(simulated_seconds=20).check_result(trial, first)
    Limits(simulated_seconds=30).check_result(trial, first)
