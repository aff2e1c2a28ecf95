"""Studies side by side: groups over seeds, the table, and the HTML file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from automl_cli.__main__ import main
from automl_cli.ledger import Ledger
from automl_cli.studies import ledger_path
from automl_cli.study_report import grouped, read

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
        studies = [read(ledger, row) for row in ledger.studies()]
    groups = grouped(studies)
    assert [(g.name, len(g.studies)) for g in groups] == [
        ("valley random", 3), ("valley evolution", 1),
    ]  # fmt: skip
    best = [min(v for v in s.values if v is not None) for s in groups[0].studies]
    mean, spread = groups[0].metrics["loss"]
    assert mean == pytest.approx(sum(best) / 3)
    assert spread == pytest.approx((sum((b - mean) ** 2 for b in best) / 2) ** 0.5)
    assert groups[1].metrics["loss"][1] == 0.0


def test_the_json_report_is_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` gives each group with its studies, and nothing else on standard output."""
    capsys.readouterr()
    assert main(["report", "valley", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [g["group"] for g in found] == ["valley random", "valley evolution"]
    assert {s["seed"] for s in found[0]["studies"]} == {0, 1, 2}
    assert found[0]["trials"] == 6


def test_the_html_file_carries_its_pictures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file, no reference to any other, a comparison and a section per study."""
    assert main(["report", "-o", "report.html"]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 5
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    for name in ("comparison", "valley-random-0", "valley-evolution-0"):
        assert f"<h2>{name}</h2>" in page


def test_an_unknown_study_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest name, and exit code 2."""
    assert main(["report", "valey-random-0"]) == 2
    assert "did you mean valley-random-0?" in capsys.readouterr().err


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
