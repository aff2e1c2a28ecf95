"""A population finish through the command line: what it decides, and what a kill changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_cli.ledger import Ledger
from tests.automl_cli.command_line import Project
from tests.automl_cli.supernets import told

DIES, PAUSE = 57, 0.04  # of 60 steps; so the state was saved after 38, where the finish begins


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder with the recipe."""
    made = Project(tmp_path, monkeypatch, capsys)
    write(made)
    return made


def write(project: Project) -> None:
    """A recipe whose decays differ in what they do within many steps."""
    here = "!tests.automl_cli."
    model = "!torch.nn.Linear {in_features: 4, out_features: 1}"
    project.recipe(
        imports="[tests.automl_cli.decaying, torch.nn]",
        program=f"{here}decaying.Decaying {{model: {model}, pause: {PAUSE}, dies: {DIES}}}",
        space="[{at: decay, replace: !oneof [0.0, 0.001, 1.0, 3.0]}]",
        objective="{minimize: error}",
        algorithm="{name: autohas, finish: 1, members: 4}",
        budget=None,
        run="{executor: inline}",
    )


def seen(project: Project) -> list[Any]:
    """The records of the supernet, times aside, and the trials' decisions and results."""
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        [study] = ledger.studies()
        rows: list[Any] = [(row.step, told(row), row.policy) for row in ledger.supernets(study.id)]
    return [*rows, *((t.decisions, json.loads(t.metrics)["error"]) for t in project.trials())]


def test_killed_in_the_finish_the_search_is_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members, momenta and evidence are in the state; what the finish has found is derived."""
    calm = Project(project.folder / "calm", monkeypatch, project._capsys)
    write(calm)
    calm.write("died", "")
    assert calm("run", "recipe.yaml").code == 0
    monkeypatch.chdir(project.folder)
    assert project.run("run", "recipe.yaml").code == 9
    [saved] = project.folder.glob(".automl/studies/*/supernet.pt")
    assert torch.load(saved, weights_only=True)["loop"]["search"]["finish"] is not None
    code, _, err = project("run", "recipe.yaml")
    assert code == 0, err
    assert seen(project) == seen(calm)
    *_, last = (each for each in seen(project) if len(each) == 3)
    policy = json.loads(last[2])["0"]
    assert sorted(policy) == [0.0, 0.0, 0.0, 1.0]
    assert policy[2:] == [0.0, 0.0]  # so strong a decay leaves nothing to predict with
    found = [0.0, 0.001][policy.index(1.0)]
    assert f'{{"decay":{found}}}' in [trial.decisions for trial in project.trials()]
