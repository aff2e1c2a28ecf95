"""Budgets and checkpoints around one trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli.trial_run import NO_FIDELITY, inherit, run_trial
from automl_spaces.registry import symbolize
from automl_spaces.trial import Trial
from tests.automl_cli import faults
from tests.automl_cli.faults import HERE, request


def silent(step: int, metrics: dict[str, float]) -> None:
    """Hear reports and forget them."""


@symbolize
def counter(*, trial: Trial = HERE) -> dict[str, float]:
    """Count on from the checkpoint up to the budget, one report a step."""
    file = trial.checkpoint / "step.txt"
    step = int(file.read_text("utf-8")) if file.exists() else 0
    began = step
    while step < (trial.budget or 9):
        step += 1
        file.write_text(str(step), "utf-8")
        trial.report(step, reward=float(step))
    return {"reward": float(step), "began": float(began)}


def test_a_trial_that_is_stopped_at_its_budget_is_completed(tmp_path: Path) -> None:
    """What it reported there is its result."""
    result = run_trial(request(faults.reporter(steps=9), tmp_path, budget=2.0), ["reward"], silent)
    assert (result.state, result.metrics["reward"]) == ("completed", 2.0)


def test_a_report_without_the_objective_is_no_result(tmp_path: Path) -> None:
    """The reason says what is missing."""
    result = run_trial(request(faults.reporter(steps=9), tmp_path, budget=2.0), ["recall"], silent)
    assert result.state == "failed"
    assert "did not return recall" in result.reason


def test_a_program_without_fidelities_is_noticed(tmp_path: Path) -> None:
    """One that neither asks nor reports has been trained in full, whatever was granted."""
    result = run_trial(request(faults.constant(), tmp_path, budget=2.0), ["reward"], silent)
    assert (result.state, result.reason, result.mistake) == ("failed", NO_FIDELITY, True)


def test_a_child_goes_on_from_a_copy_of_its_parent_s_checkpoint(tmp_path: Path) -> None:
    """The parent's own stays as it was, whatever the child does."""
    run_trial(request(counter(), tmp_path, 1, budget=3.0), ["reward"], silent)
    child = request(counter(), tmp_path, 2, budget=5.0, parent=tmp_path / "1")
    result = run_trial(child, ["reward"], silent)
    assert result.metrics == {"reward": 5.0, "began": 3.0}
    assert (tmp_path / "1" / "checkpoint" / "step.txt").read_text("utf-8") == "3"


def test_a_second_attempt_goes_on_from_its_own_checkpoint(tmp_path: Path) -> None:
    """What the first attempt reached is not overwritten by the parent's state."""
    run_trial(request(counter(), tmp_path, 1, budget=3.0), ["reward"], silent)
    child = request(counter(), tmp_path, 2, budget=5.0, parent=tmp_path / "1")
    run_trial(child, ["reward"], silent)
    result = run_trial(child._replace(attempt=2, budget=7.0), ["reward"], silent)
    assert result.metrics == {"reward": 7.0, "began": 5.0}


@pytest.mark.parametrize("left", ["checkpoint.1", "checkpoint.tmp"])
def test_a_copy_that_was_cut_off_is_none(tmp_path: Path, left: str) -> None:
    """What a killed worker left half done does not count as a checkpoint."""
    (tmp_path / "1" / "checkpoint").mkdir(parents=True)
    (tmp_path / "1" / "checkpoint" / "step.txt").write_text("3", "utf-8")
    (tmp_path / "2" / left).mkdir(parents=True)
    inherit(tmp_path / "1", tmp_path / "2")
    assert (tmp_path / "2" / "checkpoint" / "step.txt").read_text("utf-8") == "3"


def test_a_parent_without_checkpoint_leaves_none(tmp_path: Path) -> None:
    """A table or a function starts from nothing, and that is fine."""
    inherit(tmp_path / "1", tmp_path / "2")
    assert not (tmp_path / "2").exists()
