"""Studies side by side: what is read from the ledger, and how it is grouped over seeds."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from automl_cli.__main__ import main
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.studies import ledger_path
from automl_cli.study_report import grouped, read, read_decisions
from tests.automl_cli.report_studies import record, row

RECIPE = """
program: !branin {x1: 0.0, x2: 7.5}
space:
- {at: x1, replace: !floatv [-5.0, 10.0]}
- {at: x2, replace: !floatv [0.0, 15.0]}
objective: {minimize: loss}
budget: {trials: 6}
run: {executor: inline}
tracking: {enabled: false}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with three seeds of random search and one of evolution."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "valley.yaml").write_text(RECIPE, encoding="utf-8")
    for seed in ("0", "1", "2"):
        assert main(["run", "valley", "--seed", seed, "--json"]) == 0
    assert main(["run", "valley", "-a", "evolution", "--json"]) == 0
    return tmp_path


def test_studies_that_differ_in_their_seed_are_one_group(folder: Path) -> None:
    """Mean and standard deviation are those of the best trials, the smallest losses here."""
    with Ledger(ledger_path(), read_only=True) as ledger:
        groups = grouped(read(ledger_path(), ledger.studies()))
    assert [(g.name, len(g.studies)) for g in groups] == [
        ("valley random", 3), ("valley evolution", 1),
    ]  # fmt: skip
    best = [float(s.values.min()) for s in groups[0].studies]
    mean, spread = groups[0].metrics["loss"]
    assert mean == pytest.approx(sum(best) / 3)
    assert spread == pytest.approx((sum((b - mean) ** 2 for b in best) / 2) ** 0.5)
    assert groups[1].metrics["loss"][1] == 0.0


def test_arrays_are_what_the_ledger_holds(folder: Path) -> None:
    """Trials in finishing order, their metrics as columns, the best as `automl best` has it."""
    with Ledger(ledger_path(), read_only=True) as ledger:
        (row, *_) = ledger.studies()
        trials = ledger.trials(row.id)
    (study,) = read(ledger_path(), [row])
    assert study.ids.tolist() == [t.id for t in trials]
    losses = [json.loads(t.metrics)["loss"] for t in trials]
    assert study.metrics["loss"].tolist() == losses
    assert study.curve.tolist() == [min(losses[: n + 1]) for n in range(len(losses))]
    assert study.best["loss"] == study.final == min(losses)
    assert study.best_trial == trials[losses.index(min(losses))].id
    assert study.counts == {"completed": 6}
    last = len(trials) - 1
    assert read_decisions(ledger_path(), [(study, last)]) == [json.loads(trials[last].decisions)]


def test_what_differs_in_more_than_the_seed_is_another_group(tmp_path: Path) -> None:
    """Space, options and objective separate groups, and each has a name of its own."""
    path = tmp_path / "ledger.db"
    for about in (
        row(seed=0), row(seed=1), row(seed=2, space="other")._replace(name="r-1"),
        row(seed=3, options={"n": 2}), row(name="r+s", seed=4),
    ):  # fmt: skip
        record(path, about, [{"m": 1.0}, {}])
    with Ledger(path, read_only=True) as ledger:
        groups = grouped(read(path, ledger.studies()))
    assert [(g.name, len(g.studies)) for g in groups] == [
        ("study random", 2), ("study random [r-1]", 1), ("study random(n=2)", 1),
        ("r+s random", 1),
    ]  # fmt: skip
    assert groups[0].studies[0].counts == {"completed": 1, "failed": 1}
    assert groups[0].trials == 2


def test_the_best_trial_has_the_highest_budget(tmp_path: Path) -> None:
    """A value after one epoch is no result of a search that trained another one in full."""
    path = tmp_path / "ledger.db"
    record(path, row(), [{"m": 0.5}, {"m": 0.9}, {"m": 0.8}])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE trials SET budget = 1 WHERE id = 2")
    connection.close()
    with Ledger(path, read_only=True) as ledger:
        (study,) = read(path, ledger.studies())
    assert (study.best_trial, study.best) == (3, {"m": 0.8})
    assert study.curve.tolist() == [0.5, 0.5, 0.8]


def test_trials_outside_of_constraints_count_nowhere(tmp_path: Path) -> None:
    """Neither as the best, nor in the curve before there is a better one."""
    path = tmp_path / "ledger.db"
    rows = [(9.0, 0.0), (1.0, 1.0), (8.0, 0.0), (2.0, 1.0)]
    record(path, row("kept"), [{"m": value, "constraints_met": met} for value, met in rows])
    record(path, row("none"), [{"m": 9.0, "constraints_met": 0.0}])
    with Ledger(path, read_only=True) as ledger:
        kept, none = read(path, ledger.studies())
    assert np.array_equal(kept.curve, [np.nan, 1.0, 1.0, 2.0], equal_nan=True)
    assert (kept.best_trial, kept.best["m"], kept.counts) == (4, 2.0, {"completed": 4})
    assert (none.best_trial, none.best) == (None, {})


def test_a_ledger_from_before_there_were_budgets_is_read(tmp_path: Path) -> None:
    """Reading does not bring it up to date; all of its trials were granted everything."""
    path = tmp_path / "ledger.db"
    record(path, row(), [{"m": 0.5}])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("ALTER TABLE trials DROP COLUMN budget")
        connection.execute("ALTER TABLE trials DROP COLUMN parent")
    with connection:
        row_of_study = StudyRow._make(connection.execute("SELECT * FROM studies").fetchone())
    connection.close()
    (study,) = read(path, [row_of_study])
    assert study.budgets.tolist() == [float("inf")]
    assert study.best == {"m": 0.5}


def test_several_objectives_show_the_pareto_front_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No trial of the front is dominated, every other one is, and the front leads the table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trade_off.py").write_text(
        "def both(x: float, y: float):\n    return {'gain': x * (1 - y), 'cost': x + y * y}\n",
        encoding="utf-8",
    )
    (tmp_path / "two.yaml").write_text(
        "imports: [trade_off]\nprogram: !both {x: 0.5, y: 0.5}\n"
        "space: [{at: x, replace: !floatv [0, 1]}, {at: y, replace: !floatv [0, 1]}]\n"
        "objective: [{maximize: gain}, {minimize: cost}]\nbudget: {trials: 30}\n"
        "run: {executor: inline}\ntracking: {enabled: false}\n",
        encoding="utf-8",
    )
    assert main(["run", "two", "--json"]) == 0
    from automl_cli.output import best_rows, pareto_front
    from automl_cli.study_results import objectives_of

    with Ledger(ledger_path(), read_only=True) as ledger:
        (row,) = ledger.studies()
        objectives = objectives_of(row)
        ranked = best_rows(ledger, row, objectives)
    front = pareto_front(ranked, objectives)
    assert front == list(range(len(front)))
    points = [(t.metrics["gain"], t.metrics["cost"]) for t in ranked]

    def dominated(p: tuple[float, float]) -> bool:
        return any(q[0] >= p[0] and q[1] <= p[1] and q != p for q in points)

    assert [dominated(p) for p in points] == [i >= len(front) for i in range(len(points))]
    capsys.readouterr()
    assert main(["best", "two-random-0"]) == 0
    assert f"{len(front)} of 30 completed trials are on the Pareto front" in capsys.readouterr().out
