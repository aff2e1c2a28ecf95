"""The rows of the algorithms' table follow from what they declare."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import DECISIONS, Capabilities
from automl_cli.__main__ import main
from automl_cli.report_algorithms import Method, algorithm_rows, method_of
from automl_cli.report_costs import Cost


@pytest.mark.parametrize(
    ("accepts", "method"),
    [
        ({"architecture", "dropout"}, Method.SHARING),
        ({"learning_rate"}, Method.RATE),
        ({"weight_decay", "augmentation", "architecture"}, Method.HYPERGRADIENT),
        (set(DECISIONS), Method.JOINT),
    ],
)
def test_the_row_of_an_algorithm_of_weight_sharing(
    monkeypatch: pytest.MonkeyPatch, accepts: set[str], method: Method
) -> None:
    """By what it accepts beside the network."""
    monkeypatch.setattr(catalogue, "accepts", lambda _: frozenset(accepts))
    assert method_of("tunas") is method


def test_the_row_of_an_algorithm_by_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whether it hands weights on, or has a model."""
    assert (method_of("pbt"), method_of("random")) == (Method.POPULATION, Method.TRIALS)
    monkeypatch.setattr(catalogue, "capabilities", lambda _: Capabilities(model=True))
    assert method_of("random") is Method.BAYESIAN


def test_rows_are_in_the_order_of_the_talk() -> None:
    """Each algorithm once, with the costs of its own searches; an unknown name has no row."""
    rows = algorithm_rows([("tunas", Cost(2.0, 1.5)), ("tunas", Cost(3.0)), ("gone", Cost(1.0))])
    assert sorted(row.algorithm for row in rows) == sorted(catalogue.names())
    places = [list(Method).index(row.method) for row in rows]
    assert places == sorted(places)
    (tunas,) = (row for row in rows if row.algorithm == "tunas")
    assert (len(tunas.costs), tunas.trainings, tunas.memory) == (2, [1.5], [])


def test_without_any_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table needs none; a study that is asked for by name must be there."""
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--algorithms", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["groups"] == []
    assert found["algorithms"][0]["accepts"].keys() == set(DECISIONS)
    assert main(["report", "--algorithms", "-o", "r.html"]) == 0
    assert "gaussian_process" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert main(["report", "--algorithms", "mine"]) == 2
    assert not (tmp_path / ".automl").exists()


def test_the_table_waits_for_no_library() -> None:
    """What algorithms of weight sharing declare is read as text: without torch."""
    code = (
        "import sys; from automl_cli.report_algorithms import algorithm_rows\n"
        "algorithm_rows([]); print([m for m in ('torch', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
