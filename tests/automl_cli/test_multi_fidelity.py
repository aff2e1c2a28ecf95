"""Searches at several fidelities, through the command line."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from automl_cli.ledger_schema import TrialRow
from tests.automl_cli.command_line import Project

SPACE = "[{at: x, replace: !intv [0, 9]}]"
ALGORITHMS = {
    "hyperband": "{name: hyperband, max_budget: 9, eta: 3}",
    "asha": "{name: asha, max_budget: 9, eta: 3}",
    "bohb": "{name: bohb, max_budget: 9, eta: 3}",
    "pbt": "{name: pbt, max_budget: 9, interval: 3, population: 4}",
}


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder with a recipe over a program that can be paused."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.recipe(
        program="!prog.curve {x: 1}", space=SPACE, budget="{trials: 24}",
        algorithm=ALGORITHMS["hyperband"],
    )  # fmt: skip
    return made


def _set(algorithm: str) -> tuple[str, str]:
    return "--algorithm", ALGORITHMS[algorithm]


def _told(rows: list[TrialRow]) -> list[tuple[Any, ...]]:
    """What a search is: who was evaluated to which budget, going on from whom, with what result."""
    told = [(r.id, r.decisions, r.budget, r.parent, json.loads(r.metrics)["score"]) for r in rows]
    return sorted(told)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_promoted_trials_go_on_where_their_parents_stopped(
    project: Project, algorithm: str
) -> None:
    """Nobody trains a step twice, and everybody gets to the step that was granted."""
    assert project("run", "recipe.yaml", *_set(algorithm)).code == 0
    rows = {r.id: r for r in project.trials()}
    promoted = [r for r in rows.values() if r.parent is not None]
    assert promoted
    for row in rows.values():
        reached = 0.0 if row.parent is None else rows[row.parent].budget
        assert json.loads(row.metrics)["began"] == reached
    steps = Counter(map(int, (project.folder / "steps.txt").read_text("utf-8").split()))
    for row in rows.values():
        before = 0.0 if row.parent is None else rows[row.parent].budget
        assert row.budget is not None
        assert before is not None
        assert steps[row.id] == row.budget - before


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_search_ends_as_an_undisturbed_one(project: Project, algorithm: str) -> None:
    """SIGKILL in the middle of brackets and generations; the same command, the same result."""
    line = ("run", "recipe.yaml", *_set(algorithm), "--set", "program.pause=0.01")
    assert project.run(*line, "--study", "whole").code == 0
    whole = project.trials()
    moments = random.Random(algorithm)
    kills = 0
    for _ in range(3):
        with project.start(*line, "--study", "killed") as process:
            enough = _finished(project) + moments.randrange(1, 7)
            while _finished(project) < enough and process.poll() is None:
                time.sleep(0.005)
            if process.poll() is None:
                process.kill()
                kills += 1
    assert kills
    assert project.run(*line, "--study", "killed").code == 0
    assert _told(project.trials()[len(whole) :]) == _told(whole)


def _finished(project: Project) -> int:
    return sum(row.finished is not None for row in project.trials())


def test_the_pool_hands_checkpoints_on_too(project: Project) -> None:
    """Two workers share the folder of the study."""
    line = ("run", "recipe.yaml", *_set("asha"), "--executor", "pool", "--workers", "2")
    assert project.run(*line).code == 0
    rows = {r.id: r for r in project.trials()}
    promoted = [r for r in rows.values() if r.parent is not None]
    assert promoted
    for row in promoted:
        assert row.parent is not None
        assert json.loads(row.metrics)["began"] == rows[row.parent].budget


def test_a_program_that_only_reports_is_stopped_at_its_budget(project: Project) -> None:
    """Its score there is its result."""
    outcome = project("run", "recipe.yaml", "--set", "program=!prog.eager")
    assert outcome.code == 0, outcome.err
    for row in project.trials():
        x = json.loads(row.decisions)["x"]
        assert row.budget is not None
        score = row.budget * (1 - ((x - 7) / 10) ** 2)
        assert json.loads(row.metrics)["score"] == pytest.approx(score)


def test_a_program_without_fidelities_is_refused_by_name(project: Project) -> None:
    """One trial tells, the message says what to do, and the trial is kept."""
    project.recipe(algorithm=ALGORITHMS["asha"])
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 2
    assert "it was granted a budget, but never asked" in outcome.err
    assert "trial.report" in outcome.err
    assert "Traceback" not in outcome.err


def test_epochs_are_a_budget(project: Project) -> None:
    """Nothing starts that would exceed it; what is resumed costs what it adds."""
    assert project("run", "recipe.yaml", "--set", "budget={epochs: 40}").code == 0
    steps = (project.folder / "steps.txt").read_text("utf-8").split()
    assert 40 <= len(steps) < 40 + 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("budget={epochs: 0.5}",), "no trial fits in 0.5 epochs"),
        (("budget={epochs: 40}", "algorithm=random"), "a budget of epochs needs an algorithm"),
        (("budget={simulated_seconds: 40}",), "needs a program that returns them"),
        (("budget={trials: 4, charge: scrath}",), "did you mean scratch?"),
    ],
)
def test_a_budget_that_cannot_be_kept(
    project: Project, settings: tuple[str, ...], message: str
) -> None:
    """One clear line, exit code 2."""
    outcome = project("run", "recipe.yaml", *(a for s in settings for a in ("--set", s)))
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_best_shows_the_schedule_of_the_best_member(project: Project) -> None:
    """The trials that it was trained through, root first, with what they were decided to be."""
    assert project("run", "recipe.yaml", *_set("pbt")).code == 0
    shown = project("best")
    found = json.loads(project("best", "--json").out)
    budgets = [step["budget"] for step in found["lineage"]]
    assert budgets == [3.0, 6.0, 9.0]
    assert found["lineage"][-1]["trial"] == found["trial"]
    assert f"how trial {found['trial']} was trained" in shown.out


PICTURES = """\
imports: [prog]
program: !Classifier
  model: !MobileNetV2 {width: 0.1, blocks: [!InvertedResidual {filters: 16, expansion: 1}]}
  optimizer: !SGD {lr: 0.05}
  data: !Digits
  epochs: 2
space: [{at: "SEARCHED", replace: !oneof [CANDIDATES]}]
objective: {maximize: accuracy}
algorithm: {name: pbt, population: 2, interval: 1}
budget: {trials: 2}
run: {executor: inline}
tracking: {enabled: false}
"""


def test_pbt_refuses_what_changes_the_architecture(project: Project) -> None:
    """The point is named; a hyperparameter, even inside of the model, passes."""
    pytest.importorskip("torch")

    def run(searched: str, candidates: str) -> Any:
        text = PICTURES.replace("SEARCHED", searched).replace("CANDIDATES", candidates)
        project.write("pictures.yaml", text)
        return project("show", "pictures.yaml")

    refused = run("model.blocks[0].filters", "16, 160")
    assert refused.code == 2
    assert "pbt hands weights on" in refused.err
    assert "model.blocks[0].filters" in refused.err
    assert run("optimizer.lr", "0.05, 0.1").code == 0
    assert run("model.blocks[0].stride", "1, 2").code == 2


def test_a_mistake_that_every_trial_would_repeat_ends_the_search(project: Project) -> None:
    """A table that is nowhere is told once, with what to do, and not trial by trial."""
    outcome = project("run", "nats/topology", "--no-mlflow", "--set", "program.source=/nowhere.npz")
    assert outcome.code == 2
    assert "/nowhere.npz" in outcome.err
    assert len(project.trials()) == 1
    assert "Traceback" not in outcome.err


def test_several_objectives_need_an_algorithm_for_them(project: Project) -> None:
    """Said before anything runs, with those that can."""
    both = "objective=[{maximize: score}, {minimize: began}]"
    outcome = project("run", "recipe.yaml", "--set", both)
    assert outcome.code == 2
    assert "hyperband takes at most 1 objective(s), got score, began" in outcome.err
    assert "nsga2" in outcome.err
    assert not project.trials()
    assert project("run", "recipe.yaml", "--set", both, "-a", "nsga2").code == 0
