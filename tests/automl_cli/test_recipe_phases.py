"""The section `phases:`: what it says, what is wrong with it, and a search by it."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from automl_algorithms.phased import Phased
from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_cli.checks import checked_algorithm, turns
from automl_cli.recipe import load_recipe
from automl_cli.recipe_diff import compare
from automl_cli.recipe_phases import Phases, read_phases
from automl_spaces.errors import Problems
from automl_spaces.space import Space
from automl_spaces.yaml_reader import compose
from automl_spaces.yaml_writer import dump
from tests.automl_cli.command_line import Project, decisions

SPACE = "[{at: x, replace: !intv [0, 29]}, {at: y, replace: !intv [0, 29]}]"
PHASED = {
    "program": "!prog.slow {seconds: 0.0}",
    "space": SPACE,
    "algorithm": "evolution",
    "budget": None,
    "phases": "[{decide: y, trials: 8}, {decide: [x], trials: 10}, {repeat: 2}]",
}


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project with a recipe in phases; its program is best at x 7 and y 2."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.recipe(**PHASED)
    return made


def _read(text: str) -> tuple[Phases, list[str]]:
    node, problems = compose(text, "r.yaml"), Problems()
    assert node is not None
    found = read_phases(node, problems)
    return found, [str(problem) for problem in problems.found]


def test_what_phases_say() -> None:
    """A text is a list of one; they are counted as often as they come."""
    phases, problems = _read("[{decide: a, trials: 3}, {decide: [b, c.d], trials: 4}, {repeat: 2}]")
    assert problems == []
    assert [(p.decide, p.trials) for p in phases.once] == [(("a",), 3), (("b", "c.d"), 4)]
    assert (len(phases.all), phases.trials, str(phases)) == (4, 14, "a=3,b+c.d=4,x2")
    again, _ = _read(dump(phases.as_data()))
    assert again.as_data() == phases.as_data()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3", "r.yaml:1:1: phases: expected a list of {decide: [...], trials: ...}"),
        ("[]", "expected a list"),
        ("[accelerator]", "r.yaml:1:2: phases[0]: expected a list"),
        ("[{decide: a}]", "phases[0]: expected a list of {decide"),
        ("[{decide: a, trials: 0}]", "phases[0].trials: expected a number from 1 on, got 0"),
        ("[{decide: a, trials: true}]", "expected a number from 1 on"),
        ("[{decide: [a, 3], trials: 1}]", "expected paths of decisions"),
        ("[{decide: [], trials: 1}]", "expected paths of decisions"),
        ("[{decid: a, trials: 1}]", "r.yaml:1:3: phases[0].decid: a phase has no key decid (did"),
        ("[{repeat: 2}, {decide: a, trials: 1}]", "repeat comes last"),
        ("[{repeat: 2}]", "repeat comes last"),
        ("[{decide: a, trials: 1, repeat: 2}]", "phases[0]: expected a list"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    """Each is one message, at its place."""
    _, problems = _read(text)
    assert len(problems) == 1
    assert said in problems[0]


def test_a_search_in_phases(project: Project) -> None:
    """Trials are counted, only what is open moves, and a pass after the other comes nearer."""
    outcome = project("run", "recipe.yaml")
    assert outcome.code == 0
    assert "evolution in 4 phases" in outcome.err
    found = project.trials()
    rows = [(json.loads(row.decisions), json.loads(row.metrics)["score"]) for row in found]
    assert len(rows) == 36
    best = (-1e9, rows[0][0])
    for first, last, frozen in ((0, 8, "x"), (8, 18, "y"), (18, 26, "x"), (26, 36, "y")):
        assert {record[frozen] for record, _ in rows[first:last]} == {best[1][frozen]}
        scored = [(score, record) for record, score in rows[first:last]]
        best = max([best, *scored], key=lambda b: b[0])
    assert project.states() == {"recipe-evolution-phases=y=8,x=10,x2-0": "completed"}


def test_show_and_diff_tell_of_phases(project: Project) -> None:
    """What is open when, how long, and what stays."""
    out = project("show", "recipe.yaml").out
    assert "phases  36 trials, 2 times in turn" in out
    assert "y: 1 decision point, 8 trials" in out
    assert "budget  36 trials" in out
    project.recipe("part.yaml", **PHASED | {"phases": "[{decide: y, trials: 8}]"})
    out = project("show", "part.yaml").out
    rest = "in no phase, so as in the static program: x\n"
    assert rest in out
    assert rest in project("run", "part.yaml").err
    shown = json.loads(project("show", "part.yaml", "--json").out)
    assert shown["phases"] == [{"decide": ["y"], "trials": 8}]
    diff = project("diff", "recipe.yaml", "part.yaml").out
    assert "phases\n  2       - x (10 trials)\n  repeat  - 2" in diff
    assert project("diff", "recipe.yaml", "--set", "phases=null").code == 0


def test_patterns_without_points_are_errors(project: Project) -> None:
    """All of them, where they stand, before anything is written."""
    project.recipe(**PHASED | {"phases": "[{decide: xx, trials: 8}, {decide: [z], trials: 1}]"})
    for command in ("show", "run"):
        outcome = project(command, "recipe.yaml")
        assert outcome.code == 2
        assert "recipe.yaml:8:19: phases" in outcome.err
        assert "no decision point is at xx (did you mean x?)" in outcome.err
        assert "phases: no decision point is at z" in outcome.err
    assert not (project.folder / ".automl").exists()


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [
        ("hyperband", "hyperband cannot be run in phases"),
        ("pbt", "pbt cannot be run in phases"),
        ("tunas", "tunas learns all decisions at once: it cannot search in phases"),
    ],
)
def test_algorithms_that_cannot(algorithm: str, said: str, project: Project) -> None:
    """They are refused, with those that can."""
    outcome = project("show", "recipe.yaml", "-a", algorithm)
    assert outcome.code == 2
    assert said in outcome.err
    assert "evolution" in outcome.err


def test_a_budget_may_end_it_sooner_and_a_resumed_search_is_the_same(project: Project) -> None:
    """Stopped in each of the phases, and at their borders."""
    assert project("run", "recipe.yaml", "--study", "whole").code == 0
    whole = decisions(project.finished())
    for stop in ("1", "8", "9", "20", "36", "99"):
        assert project("run", "recipe.yaml", "--study", "parts", "-n", stop).code == 0
    rows = project.trials()[len(whole) :]
    assert decisions({row.id: row for row in rows}) == whole


def test_other_phases_are_another_search(project: Project) -> None:
    """A study is resumed with the phases that it began with."""
    assert project("run", "recipe.yaml", "--study", "one", "-n", "3").code == 0
    outcome = project("run", "recipe.yaml", "--study", "one", "--set", "phases=null", "-n", "9")
    assert outcome.code == 2
    assert "recorded with another algorithm" in outcome.err


def test_a_small_slice_ends_its_phase(project: Project) -> None:
    """Three values are three trials, whatever was granted."""
    space = "[{at: x, replace: !intv [0, 29]}, {at: y, replace: !oneof [1, 2, 3]}]"
    phases = "[{decide: y, trials: 100}, {decide: x, trials: 5}]"
    project.recipe(**PHASED | {"space": space, "phases": phases})
    assert project("run", "recipe.yaml").code == 0
    records = [json.loads(row.decisions) for row in project.trials()]
    assert {r["y"] for r in records[:3]} == {1, 2, 3}
    assert {r["y"] for r in records[3:]} == {2}
    assert len(records) == 8


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_again_and_again(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """SIGKILL to the driver in every phase: nothing is lost, run twice or searched otherwise."""
    rng = random.Random(5)
    calm = Project(tmp_path / "calm", monkeypatch, capsys)
    calm.recipe(**PHASED)
    assert calm("run", "recipe.yaml").code == 0
    project = Project(tmp_path / "killed", monkeypatch, capsys)
    executor = "inline" if workers == 1 else "pool"
    run = f"{{executor: {executor}, workers: {workers}}}"
    project.recipe(**PHASED | {"program": "!prog.slow {seconds: 0.05}", "run": run})
    for _ in range(5):
        with project.start("run", "recipe.yaml") as driver:
            project.wait_for(len(project.finished()) + 3, driver)
            time.sleep(rng.uniform(0.0, 0.1))
            driver.kill()
            driver.communicate()
        assert driver.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert project.run("run", "recipe.yaml").code == 0
    rows = project.finished()
    assert sorted(rows) == list(range(36))
    if workers == 1:  # two workers finish in the order that they please
        assert decisions(rows) == decisions(calm.finished())
    records = [json.loads(rows[i].decisions) for i in range(36)]
    assert len({r["x"] for r in records[:8]}) == len({r["y"] for r in records[8:18]}) == 1


def test_a_supernet_searches_in_the_same_phases() -> None:
    """The recipe of a sequential search is one line from trials to autohas and back."""
    for name in ("autohas/mixup_then_arch", "autohas/weight_decay_then_mixup"):
        trials, shared = load_recipe(name), load_recipe(name, algorithm="autohas")
        assert trials.phases == shared.phases
        space = Space.compile(shared.template)
        assert isinstance(checked_algorithm(trials, space), Phased)
        groups = turns(shared, space)["groups"]
        assert [g[0].partition(".")[0].partition("[")[0] for g in groups] == [
            p.decide[0] for p in shared.phases.once
        ]
        assert sorted(id for group in groups for id in group) == sorted(
            point.id for point in space.points
        )
        made = checked_algorithm(shared, space)
        assert isinstance(made, AutoHAS)
        assert made.groups == groups
        assert list(compare(trials, shared).sections) == ["algorithm"]


def test_a_supernet_has_no_static_value_for_the_rest(project: Project) -> None:
    """What no phase decides is an error of the phases, on paper and before a run."""
    for command in ("show", "run"):
        outcome = project(
            command, "autohas/mixup_then_arch", "-a", "autohas",
            "--set", "phases=[{decide: augment, trials: 6}]",
        )  # fmt: skip
        assert outcome.code == 2
        assert "phases: autohas has to search model.blocks[0].kernel_size in one of" in outcome.err
