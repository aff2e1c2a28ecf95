"""What a search counts: the best by fidelity, epochs and simulated seconds."""

from __future__ import annotations

import pytest

from automl_algorithms.constraints import Constraint
from automl_cli.progress import Finished, Progress, judged
from automl_spaces.objective import Objective


def _trial(number: int, value: float, **about: float | int | None) -> Finished:
    metrics = {"accuracy": value, "simulated_seconds": about.pop("simulated", 0.0) or 0.0}
    return Finished(number, "completed", "{}", metrics, "", **about)  # type: ignore[arg-type]


def test_the_best_is_sought_at_the_highest_fidelity() -> None:
    """A lucky start does not beat a full training, however late it comes."""
    progress = Progress([Objective("accuracy")], None)
    assert progress.take(_trial(0, 0.9, budget=1.0))
    assert progress.take(_trial(1, 0.7, budget=3.0, parent=0))
    assert not progress.take(_trial(2, 0.95, budget=1.0))
    assert progress.take(_trial(3, 0.6))
    assert not progress.take(_trial(4, 0.99, budget=3.0))
    assert progress.best is not None
    assert progress.best.id == 3


@pytest.mark.parametrize(
    ("scratch", "epochs", "seconds"), [(False, 9.0, 90.0), (True, 13.0, 130.0)]
)
def test_a_promotion_costs_what_it_adds_or_all(
    scratch: bool, epochs: float, seconds: float
) -> None:
    """1, then 3 and 9 epochs of one training are 9 epochs, or 13 from scratch."""
    progress = Progress([Objective("accuracy")], None, scratch=scratch)
    progress.take(_trial(0, 0.1, budget=1.0, simulated=10.0))
    progress.take(_trial(1, 0.2, budget=3.0, parent=0, simulated=30.0))
    progress.take(_trial(2, 0.3, budget=9.0, parent=1, simulated=90.0))
    assert (progress.epochs, progress.simulated_seconds) == (epochs, seconds)


def test_what_is_outside_of_the_constraints_is_the_best_only_for_want_of_others() -> None:
    """A feasible trial replaces it, however modest, and nothing outside replaces that one."""
    constraints = {"latency": Constraint(high=1.0, reward="hard", weight=-1.0)}
    progress = Progress([Objective("accuracy")], None, constraints=constraints)
    for number, (value, latency) in enumerate([(0.9, 2.0), (0.5, 1.0), (0.99, 3.0), (0.6, 0.5)]):
        trial = _trial(number, value)
        metrics = judged(constraints, {**trial.metrics, "latency": latency})
        progress.take(trial._replace(metrics=metrics))
        assert progress.best is not None
        assert progress.best.id == [0, 1, 1, 3][number]
    assert progress.outside == {0, 2}
    assert [progress.may_answer(number) for number in range(4)] == [False, True, False, True]


def test_filters_leave_no_verdict() -> None:
    """What they forbid is not run, so every trial is within them."""
    metrics = {"accuracy": 1.0, "madds": 5.0}
    assert judged({"madds": Constraint(high=9.0)}, metrics) == metrics
    shaping = {"madds": Constraint(high=9.0, reward="hard", weight=-1.0)}
    assert judged(shaping, metrics)["constraints_met"] == 1.0
