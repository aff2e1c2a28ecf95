"""The note and the table of all trials."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from automl_cli.ledger import Ledger
from automl_cli.mlflow_summary import figures, note, trials_csv
from tests.automl_cli.mlflow_studies import Clocked, create_study, make_study, value


def test_note(tmp_path: Path) -> None:
    """It names the best value and trial, counts the failures, and says what to type next."""
    study = make_study(tmp_path / "l.db", 20)
    with Ledger(tmp_path / "l.db", read_only=True) as ledger:
        text = note(study, ledger.trials(study.id))
    best = max((n for n in range(1, 21) if n % 5 and n % 7), key=value)
    assert f"**accuracy {value(best):.6g}**, trial {best}" in text
    assert "20 trials (4 failed, 2 pruned)" in text
    assert "automl best digits " in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0].startswith("| trial | accuracy | model.blocks[0].kernel_size |")
    assert table[2].startswith(f"| {best} | {value(best):.6g} |")
    assert len(table) == 12
    assert len({line.count("|") for line in table}) == 1


def test_a_note_is_never_too_long(tmp_path: Path) -> None:
    """Rows go before MLflow would cut the text; the lines to type stay."""
    with Clocked(tmp_path / "l.db") as ledger:
        study = create_study(ledger)
        for number in range(1, 12):
            ledger.propose(study.id, number, f'{{"{"p" * 300}": "{"x" * 900}"}}')
            ledger.time += 1
            ledger.finish(study.id, number, 1, "completed", f'{{"accuracy": {value(number)}}}')
        text = note(study, ledger.trials(study.id))
    assert len(text) <= 5000
    assert "automl best digits" in text
    assert 2 < sum(line.startswith("|") for line in text.splitlines()) < 12


def test_a_study_without_trials(tmp_path: Path) -> None:
    """There is something to say, and nothing to draw."""
    study = make_study(tmp_path / "l.db", 0)
    assert "0 trials" in note(study, [])
    assert figures(study, []) == {}


def test_nothing_within_the_constraints(tmp_path: Path) -> None:
    """The note says so, and has no best to show."""
    with Clocked(tmp_path / "l.db") as ledger:
        study = create_study(ledger)
        ledger.propose(study.id, 1, "{}")
        ledger.finish(study.id, 1, 1, "completed", '{"accuracy": 0.9, "constraints_met": 0.0}')
        text = note(study, ledger.trials(study.id))
    assert "No trial is within the constraints." in text
    assert "0.9" not in text


def test_trials_csv(tmp_path: Path) -> None:
    """One line per trial, with columns for everything that any trial has."""
    study = make_study(tmp_path / "l.db", 6)
    with Ledger(tmp_path / "l.db", read_only=True) as ledger:
        rows = list(csv.DictReader(io.StringIO(trials_csv(ledger.trials(study.id)))))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert float(rows[2]["accuracy"]) == value(3)
    assert rows[1]["optimizer(Adam).lr"] == ""
    assert (rows[4]["state"], rows[4]["accuracy"]) == ("failed", "")


def test_figures_of_two_objectives(tmp_path: Path) -> None:
    """Each objective has its curve, and the two have a front."""
    with Clocked(tmp_path / "l.db") as ledger:
        study = create_study(ledger, goals=[("accuracy", "maximize"), ("ms", "minimize")])
        for number in range(1, 9):
            ledger.propose(study.id, number, "{}")
            ledger.time += 1
            metrics = f'{{"accuracy": {value(number)}, "ms": {number}}}'
            ledger.finish(study.id, number, 1, "completed", metrics)
        made = figures(study, ledger.trials(study.id))
    assert set(made) == {"search_1.png", "search_2.png", "pareto_front.png"}
