"""PBT where some programs cannot be run: what a loser goes on with is drawn again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.automl_cli.command_line import Project

PROGRAM = '''"""A training that is the better the larger its rate, on an accelerator."""

from typing import Any


def train(
    trial: Any, model: Any, data: str = "cifar10", rate: float = 0.5, accelerator: Any = None
) -> dict[str, float]:
    """Reports in every epoch."""
    for epoch in range(int(trial.budget or 8)):
        trial.report(epoch + 1, accuracy=rate)
    return {"accuracy": rate}
'''
RECIPE = {
    "imports": "[board]",
    "program": "!board.train {model: !CellNet {widths: [8, 8, 8, 8, 8]}, "
    "accelerator: !EdgeAccelerator {}}",
    "space": "[overlays/accelerator.yaml, {at: rate, replace: !floatv [0, 1]}]",
    "objective": "{maximize: accuracy}",
    "costs": "[area_mm2]",
    "algorithm": "{name: pbt, population: 10, interval: 1, max_budget: 8, quantile: 0.5, "
    "resample: 1}",
    "budget": "{trials: 80}",
    "run": "{executor: inline}",
}
LARGEST = 8.0  # mm2


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project whose hyperparameters are a rate and an accelerator."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.write("board.py", PROGRAM)
    return made


def test_infeasible_children_are_drawn_again(project: Project) -> None:
    """One accelerator in twenty cannot be built: the search goes on over them, and counts them."""
    project.recipe(**RECIPE)
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 0, outcome.err
    rows = project.finished()
    assert len(rows) == 80
    assert any(row.rejected for row in rows.values() if row.parent is not None)


def test_children_keep_the_constraints(project: Project) -> None:
    """As all other proposals do, resumed or not."""
    project.recipe(**RECIPE, constraints=f"{{area_mm2: <= {LARGEST}}}")
    assert project("run", "recipe.yaml", "--study", "whole").code == 0
    whole = {row.id: row.decisions for row in project.trials()}
    assert all(json.loads(row.costs)["area_mm2"] <= LARGEST for row in project.trials())
    assert project("run", "recipe.yaml", "--study", "parts", "-n", "45").code == 0
    assert project("run", "recipe.yaml", "--study", "parts").code == 0
    assert {row.id: row.decisions for row in project.trials()} == whole
