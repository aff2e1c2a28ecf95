"""Which trials get runs of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli import mlflow_selection
from automl_cli.ledger import Ledger
from automl_cli.mlflow_selection import Children, Selection
from tests.automl_cli.mlflow_studies import Clocked, make_study, propose, run_trial


@pytest.mark.parametrize(
    ("children", "seconds", "count", "during", "at_end"),
    [
        ("auto", 1.0, 60, 60, 60),  # slow: all, at once
        ("auto", 0.001, 40, 10, 40),  # fast and few: all, at the end
        ("auto", 0.001, 400, 10, 45),  # fast and many: the best at once, a sample at the end
        ("all", 0.001, 400, 400, 400),
        ("best", 1.0, 60, 10, 10),
        ("none", 1.0, 60, 0, 0),
    ],
)
def test_wanted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    children: Children,
    seconds: float,
    count: int,
    during: int,
    at_end: int,
) -> None:
    """All trials when they are few or slow, else the best and an even sample."""
    monkeypatch.setattr(mlflow_selection, "FEW", 50)
    study = make_study(tmp_path / "l.db", count, seconds=seconds)
    with Ledger(tmp_path / "l.db", read_only=True) as ledger:
        selection = Selection(ledger, study, children)
        selection.read()
        assert len(selection.wanted(over=False)) == during
        assert at_end <= len(selection.wanted(over=True)) <= at_end + 5
        assert set(selection.wanted(over=False)) <= set(selection.wanted(over=True))


def test_reading_bit_by_bit_is_reading_at_once(tmp_path: Path) -> None:
    """The best trials are the same however often one looks."""
    study = make_study(tmp_path / "l.db", 0)
    with Clocked(tmp_path / "l.db") as ledger:
        often = Selection(ledger, study, "best")
        for number in range(1, 40):
            run_trial(ledger, study, number)
            often.read()
        once = Selection(ledger, study, "best")
        once.read()
    assert often.finished == once.finished
    assert often.top == once.top
    assert len(once.top) == mlflow_selection.BEST


def test_a_quick_trial_gets_no_run_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial is worth a run of its own after two seconds."""
    study = make_study(tmp_path / "l.db", 0)
    with Clocked(tmp_path / "l.db") as ledger:
        propose(ledger, study, 1)
        selection = Selection(ledger, study, "auto")
        (trial,) = selection.running()
        monkeypatch.setattr(mlflow_selection.time, "time", lambda: trial.proposed + 1.0)
        assert not selection.is_live(trial)
        monkeypatch.setattr(mlflow_selection.time, "time", lambda: trial.proposed + 3.0)
        assert selection.is_live(trial)
