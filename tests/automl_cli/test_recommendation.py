"""An algorithm may end with another trial than the one of the best value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_cli.ledger import Ledger
from tests.automl_cli.command_line import Project

PLUGIN = '''"""An algorithm that goes with the trial of the median value."""

from automl_algorithms.contract import Algorithm


class Modest(Algorithm):
    """Random search."""

    def setup(self, space, objectives, seed) -> None:
        super().setup(space, objectives, seed)
        self.seen = []

    def propose(self, trial_id, rng):
        return self.space.sample(rng)

    def feedback(self, observation) -> None:
        self.seen.append((observation.rewards[0], observation.trial_id))

    def recommend(self):
        return sorted(self.seen)[len(self.seen) // 2][1]
'''


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project with a recipe that is searched by such an algorithm."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.write("plugin.py", PLUGIN)
    entry = catalogue.Entry("modest", "plugin", "plugin", "Modest", None)
    monkeypatch.setattr(catalogue, "_plugins", lambda: {"modest": entry})
    monkeypatch.syspath_prepend(tmp_path)
    made.recipe(algorithm="modest", budget="{trials: 5}")
    return made


def _recommended(project: Project) -> int | None:
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        return ledger.studies()[-1].recommended


def _median(project: Project) -> int:
    rows = sorted(project.trials(), key=lambda row: json.loads(row.metrics)["score"])
    return rows[len(rows) // 2].id


def test_it_is_recorded_and_shown(project: Project) -> None:
    """`automl best` and the report tell of it; the best value stays what it is."""
    assert project("run", "recipe.yaml").code == 0
    recommended = _recommended(project)
    assert recommended == _median(project)
    assert json.loads(project("best", "--json").out)["trial"] == recommended
    assert f"trial {recommended}, which the search recommends," in project("best").out
    (group,) = json.loads(project("report", "--json").out)["groups"]
    (study,) = group["studies"]
    scores = {row.id: json.loads(row.metrics)["score"] for row in project.trials()}
    assert study["best_trial"] == recommended
    assert group["metrics"]["score"]["mean"] == scores[recommended]
    assert group["curve"]["0.5"][-1] == max(scores.values())
    other = max(scores, key=lambda trial: scores[trial])
    assert json.loads(project("best", "--trial", str(other), "--json").out)["trial"] == other


def test_a_search_that_goes_on_recommends_anew(project: Project) -> None:
    """After more trials it is another one."""
    assert project("run", "recipe.yaml").code == 0
    before = _recommended(project)
    assert project("run", "recipe.yaml", "-n", "30").code == 0
    assert _recommended(project) == _median(project) != before


def test_most_algorithms_recommend_nothing(project: Project) -> None:
    """Then the best is the one of the best value."""
    assert project("run", "recipe.yaml", "-a", "random").code == 0
    assert _recommended(project) is None
    scores = {row.id: json.loads(row.metrics)["score"] for row in project.trials()}
    assert json.loads(project("best", "--json").out)["trial"] == max(scores, key=scores.__getitem__)
