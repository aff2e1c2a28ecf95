"""Searches with constraints: what is run, what the algorithm hears, what comes first."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl_algorithms.multi_trial.evolution import Evolution
from automl_cli import costs
from automl_cli.ledger import Ledger
from tests.automl_cli.command_line import Project, decisions
from tests.automl_cli.constrained import RECIPE, best_of, prepare

ALGORITHMS = [
    "random", "grid", "evolution", "local_search", "reinforce", "ppo", "bayesian", "nsga2",
    "gaussian_process",
]  # fmt: skip


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project with a program of two decisions, a metric `latency` and a cost `chip_area`."""
    made = prepare(Project(tmp_path, monkeypatch, capsys), monkeypatch)
    made.recipe(**RECIPE)
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every observation that evolution is told."""
    heard: list[Any] = []
    feedback = Evolution.feedback

    def listen(self: Evolution, observation: Any) -> None:
        heard.append(observation)
        feedback(self, observation)

    monkeypatch.setattr(Evolution, "feedback", listen)
    return heard


def test_a_bound_in_words_refuses_what_is_outside(project: Project) -> None:
    """Nothing outside is run or charged."""
    project.recipe(**RECIPE, constraints="{chip_area: <= 20}")
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 0
    assert "rejected unrun" in outcome.err
    assert len(project.trials()) == 40
    assert all(json.loads(row.costs)["chip_area"] <= 20 for row in project.trials())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_best_is_never_infeasible(name: str, project: Project) -> None:
    """With every algorithm that runs trials in full, `best` and the report agree on that."""
    bounds = "{latency: {max: 1, reward: hard}, chip_area: {max: 20, reward: soft}}"
    project.recipe(**RECIPE | {"algorithm": name, "constraints": bounds})
    outcome = project("run", "recipe.yaml", "-n", "25")
    assert outcome.code == 0
    rows = [json.loads(row.metrics) for row in project.trials()]
    within = [m for m in rows if m["latency"] <= 1 and m["chip_area"] <= 20]
    assert 0 < len(within) < len(rows) == 25
    assert max(m["accuracy"] for m in within) < max(m["accuracy"] for m in rows)
    found = best_of(project)
    assert found["accuracy"] == max(m["accuracy"] for m in within)
    (group,) = json.loads(project("report", "--json").out)["groups"]
    assert group["metrics"]["accuracy"]["mean"] == found["accuracy"]
    assert f"{len(rows) - len(within)} outside of the constraints" in outcome.err


@pytest.mark.parametrize("name", ["hyperband", "asha", "bohb", "pbt"])
def test_budgets_and_constraints_go_together(
    name: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Algorithms that grant budgets promote by the shaped reward; the best is within again."""

    def size(program: Any) -> float:
        return float(program.x + 1)

    monkeypatch.setattr(costs, "_theirs", lambda: {"size": SimpleNamespace(load=lambda: size)})
    budget = {"pbt": "{name: pbt, population: 6, interval: 3, max_budget: 9}"}
    project.recipe(
        program="!prog.curve {x: 1}",
        space="[{at: x, replace: !intv [0, 9]}]",
        algorithm=budget.get(name, f"{{name: {name}, max_budget: 9}}"),
        budget="{trials: 30}",
        constraints="{size: {max: 5, reward: hard, weight: -2}}",
    )
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 0, outcome.err
    sizes = [json.loads(row.metrics)["size"] for row in project.trials()]
    assert max(sizes) > 5
    assert best_of(project)["size"] <= 5


def test_the_algorithm_hears_a_shaped_reward_and_the_ledger_keeps_the_metrics(
    project: Project, told: list[Any]
) -> None:
    """NAHAS, hard: the accuracy where the constraint is met, divided by x where it is not."""
    project.recipe(**RECIPE, constraints="{latency: {max: 2, reward: hard}}")
    assert project("run", "recipe.yaml").code == 0
    rows = project.finished()
    assert len(told) == 40
    for observation in told:
        metrics = json.loads(rows[observation.trial_id].metrics)
        width, chip = (observation.decisions[name] for name in ("width", "chip"))
        assert metrics["accuracy"] == 1 - 1 / (1 + width)
        assert metrics["latency"] == width / chip
        factor = min(2 * chip / width, 1.0) if width else 1.0
        assert observation.rewards == (pytest.approx(metrics["accuracy"] * factor),)
        assert observation.feasible == (width / chip <= 2) == bool(metrics["constraints_met"])


def test_a_resumed_search_hears_the_same(project: Project, told: list[Any]) -> None:
    """Of the recorded metrics, and so it goes on as if it had not stopped."""
    constraints = "{latency: {max: 2, reward: absolute, weight: -0.3}}"
    project.recipe(**RECIPE, constraints=constraints)
    assert project("run", "recipe.yaml", "--study", "whole").code == 0
    whole, heard = decisions(project.finished()), [o.rewards for o in told]
    told.clear()
    assert project("run", "recipe.yaml", "--study", "parts", "-n", "15").code == 0
    assert project("run", "recipe.yaml", "--study", "parts").code == 0
    assert [o.rewards for o in told[15:]] == heard
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        parts = {row.id: row for row in ledger.trials(ledger.studies()[-1].id)}
    assert decisions(parts) == whole


def test_other_rewards_are_another_search(project: Project) -> None:
    """What was told cannot be taken back; a filter may change, as it always could."""
    project.recipe(**RECIPE, constraints="{latency: {max: 2, reward: hard}}")
    assert project("run", "recipe.yaml", "-n", "5").code == 0
    project.recipe(**RECIPE, constraints="{latency: {max: 3, reward: hard}}")
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 2
    assert "recorded with another reward of constraints" in outcome.err
    assert project("run", "recipe.yaml", "--accept-changes").code == 0
    assert project("run", "recipe.yaml").code == 0


@pytest.mark.parametrize("bound", ["{max: 10, reward: hard}", "<= 10"], ids=["reward", "filter"])
def test_changed_constraints_judge_all_trials_again(bound: str, project: Project) -> None:
    """What `best` and reports show is within the constraints of now, and not of then."""
    limit = "{chip_area: {max: 20, reward: hard}}"
    project.recipe(**RECIPE, constraints=limit)
    assert project("run", "recipe.yaml").code == 0
    assert best_of(project)["chip_area"] == 20
    project.recipe(**RECIPE, constraints=f"{{chip_area: {bound}}}")
    assert project("run", "recipe.yaml", "--accept-changes").code == 0
    verdicts = [json.loads(row.metrics) for row in project.finished().values()]
    assert all(m["constraints_met"] == (m["chip_area"] <= 10) for m in verdicts)
    assert best_of(project)["chip_area"] == 10
    (group,) = json.loads(project("report", "--json").out)["groups"]
    assert group["metrics"]["accuracy"]["mean"] == best_of(project)["accuracy"]


def test_nothing_feasible_is_said(project: Project) -> None:
    """The nearest is shown, and called what it is; a report counts none of it."""
    project.recipe(**RECIPE, constraints="{latency: {max: 1.0e-9, min: 1.0e-10, reward: hard}}")
    outcome = project("run", "recipe.yaml", "-n", "6")
    assert outcome.code == 0
    assert "no trial is within the constraints: latency 1e-10 .. 1e-09" in outcome.err
    assert "none within" in " ".join(outcome.out.split())
    data = json.loads(project("run", "recipe.yaml", "-n", "6", "--json").out)
    assert (data["best"]["feasible"], data["outside"]) == (False, 6)
    (group,) = json.loads(project("report", "--json").out)["groups"]
    assert group["studies"][0]["best_trial"] is None


def test_a_recommendation_outside_is_not_taken(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An algorithm with a model of rewards does not know which trials may be the answer."""
    monkeypatch.setattr(Evolution, "recommend", lambda self: 0)
    project.recipe(**RECIPE, constraints="{latency: {max: 1, reward: hard}}")
    assert project("run", "recipe.yaml").code == 0
    assert json.loads(project.finished()[0].metrics)["latency"] == 1.5
    assert best_of(project)["latency"] <= 1


def test_a_metric_that_the_program_does_not_return(project: Project) -> None:
    """The trials fail, and say which one it is."""
    project.recipe(**RECIPE, constraints="{latenci: {max: 1, reward: hard}}")
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 1
    assert "did not return latenci; it returned accuracy, latency" in outcome.err


def test_a_cost_is_an_objective(project: Project) -> None:
    """Several objectives, one of them known before the trial; no infeasible point on the front."""
    project.recipe(
        **RECIPE
        | {
            "objective": "[{maximize: accuracy}, {minimize: chip_area}]",
            "costs": "[chip_area]",
            "constraints": "{latency: {max: 2, reward: hard}}",
            "algorithm": "nsga2",
        }
    )
    assert project("run", "recipe.yaml").code == 0
    (group,) = json.loads(project("report", "--json").out)["groups"]
    points = {tuple(point) for point in group["front"]["points"]}
    rows = [json.loads(row.metrics) for row in project.trials()]
    fits = [(m["accuracy"], m["chip_area"]) for m in rows if m["latency"] <= 2]
    front = [
        (a, c) for a, c in fits if not any(x >= a and y <= c and (x, y) != (a, c) for x, y in fits)
    ]
    assert points == {*front}
    assert len(fits) < len(rows)
    assert group["front"]["hypervolume"]["mean"] > 0


def test_what_cannot_be_run_is_skipped_counted_and_told_nobody(
    project: Project, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NAHAS, section 2: an invalid accelerator costs no trial, the static one neither."""

    def area(program: Any) -> float:
        if program.chip == 2:
            raise costs.Infeasible("a chip of 2 has no tiling")
        return 1.0

    monkeypatch.setattr(costs, "_theirs", lambda: {"chip_area": SimpleNamespace(load=lambda: area)})
    project.recipe(**RECIPE, costs="[chip_area]")
    shown = project("show", "recipe.yaml").out
    assert "of the static program: it cannot be run: a chip of 2 has no tiling" in shown
    outcome = project("run", "recipe.yaml", "-n", "30", "--json")
    assert outcome.code == 0
    chips = [json.loads(row.decisions)["chip"] for row in project.trials()]
    assert (len(chips), {*chips}) == (30, {1, 4})
    assert json.loads(outcome.out)["rejected"] > 0
    assert {o.decisions["chip"] for o in told} == {1, 4}


def test_show_and_diff(project: Project) -> None:
    """Bounds and rewards are told as they are meant."""
    project.recipe("other.yaml", **RECIPE, constraints="{latency: {max: 2, reward: soft}}")
    out = project("show", "other.yaml").out
    assert "constraint  latency <= 2, soft reward (weight -0.07)" in out
    assert json.loads(project("show", "other.yaml", "--json").out)["constraints"] == {
        "latency": {"max": 2.0, "reward": "soft", "weight": -0.07}
    }
    assert "+ <= 2, soft reward (weight -0.07)" in project("diff", "recipe.yaml", "other.yaml").out
