"""Mistakes around weight sharing are told in a message, before anything is written; what breaks in
the training of a supernet loses at most its last seconds.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_cli import shared_state
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import SupernetRow
from automl_spaces.errors import UserError
from tests.automl_cli.command_line import Project, decisions
from tests.automl_cli.supernets import HERE, told, toy, write_recipe

MISTAKES: dict[str, tuple[dict[str, str | None], list[str]]] = {
    # what: keys of the recipe, what the message tells
    "no stepwise program": (
        {"imports": "[prog]", "program": "!prog.score {}",
         "space": "[{at: depth, replace: !oneof [1, 2]}]"},
        ["recipe.yaml:2:10: ", "prog:score cannot be searched by weight sharing",
         "it lacks train_batches", "random, evolution, bayesian"],
    ),
    "a choice outside of modules": (
        {"space": "[activations.yaml, {at: lr, replace: !oneof [0.1, 0.2]}]"},
        ["recipe.yaml:3:45: lr: stands outside of modules", "random, evolution, bayesian"],
    ),
    "a continuous point outside of modules": (
        {"space": "[activations.yaml, {at: lr, replace: !floatv [0.1, 0.2]}]",
         "algorithm": "tunas"},
        ["recipe.yaml:5:1: ", "tunas cannot search lr: it is continuous", "at recipe.yaml:3:45",
         "these can: ", "bayesian", "random"],
    ),
    "a continuous point in the model": (
        {"program": toy(f"{HERE}Wide {{p: 0.1}}"),
         "space": "[{at: model.first.p, replace: !floatv [0.1, 0.2]}]"},
        ["rsps cannot search model.first.p: it is continuous (0.1 to 0.2), at recipe.yaml:3:38"],
    ),
    "outputs that disagree": (
        {"space": f"[{{at: model.first, replace: !oneof [!torch.nn.ReLU {{}}, {HERE}Wide "
         "{width: 3}]}]"},
        ["recipe.yaml:3:36: model.first: the outputs of its candidates disagree",
         "ReLU gives [16, 4], Wide gives [16, 3]"],
    ),
    "sizes that disagree": (
        {"program": toy(f"{HERE}Wide {{width: 4}}"),
         "space": "[{at: model.first.width, replace: !oneof [4, 3]}]"},
        ["recipe.yaml:3:42: model.first.width: the outputs of its candidates disagree",
         "4 gives [16, 4], 3 gives [16, 3]", "a search by trials (random, evolution, bayesian)"],
    ),
    "a search of sizes without any": (
        {"algorithm": "tas"},
        ["activations.yaml:2:12: model.first: tas searches sizes, and here is none", "darts",
         "tunas"],
    ),
    "a candidate that cannot be built": (
        {"space": f"[{{at: model.first, replace: !oneof [!torch.nn.ReLU {{}}, {HERE}Wide "
         "{width: -3}]}]"},
        ["recipe.yaml:3:36: model.first: the candidate Wide cannot be built: RuntimeError"],
    ),
    "no space": ({"space": None}, ["recipe.yaml:4:1: space: rsps needs a space", "random"]),
    "two objectives": (
        {"objective": "[{minimize: error}, {minimize: madds}]"},
        ["rsps takes at most 1 objective(s), got error, madds", "nsga2"],
    ),
    "a metric that evaluate does not give": (
        {"objective": "{maximize: accuracy}"},
        ["recipe.yaml:4:1: objective: evaluate() does not give accuracy, but error"],
    ),
    "an unknown preset": (
        {"algorithm": "{name: tunas, preset: papr}"},
        ["recipe.yaml:5:26: algorithm.preset", "paper"],
    ),
    "mistyped keys": (
        {"sharing": "{epoch: 3, on_nan: skp, derived: 0}"},
        ["recipe.yaml:8:11: sharing.epoch: ", "did you mean epochs?", "did you mean skip?",
         "sharing.derived: must be at least 1, not 0"],
    ),
}  # fmt: skip


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """A project folder, in which no process is left afterwards."""
    yield (made := Project(tmp_path, monkeypatch, capsys))
    for pid in made.processes():  # a failed test leaves no driver behind
        os.kill(pid, signal.SIGKILL)


def rows(project: Project) -> list[SupernetRow]:
    """The records of all supernets; there may be none yet."""
    try:
        with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
            return [row for study in ledger.studies() for row in ledger.supernets(study.id)]
    except UserError:
        return []


def exact(found: list[SupernetRow]) -> list[Any]:
    """What does not depend on the process."""
    return [(r.step, r.steps, json.dumps(told(r)), r.policy) for r in found]


def outcome(project: Project) -> tuple[list[Any], Any]:
    """All that must not depend on who was killed and when: policies, metrics, trials."""
    return exact(rows(project)), decisions(project.finished())


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_before_anything_is_written(what: str, project: Project) -> None:
    """Exit code 2 and a message with the place, the decision and a way out."""
    keys, words = MISTAKES[what]
    write_recipe(project, **keys)
    before = project.files()
    code, out, err = project("run", "recipe.yaml")
    assert (code, out) == (2, "")
    for word in words:
        assert word in err
    assert "Traceback" not in err
    assert project.files() == before


def test_shipped_recipes_that_cannot_share_weights(project: Project) -> None:
    """A function, and hyperparameters of a training: the point is named, and who can search it."""
    for recipe, point in (("function", "floats[0]"), ("hyperparameters", "optimizer.lr")):
        for command in ("show", "run"):
            code, _, err = project(command, recipe, "-a", "tunas")
            assert code == 2
            assert f"tunas cannot search {point}: it is continuous" in err
            assert "), at recipes/" in err
            assert "evolution" in err
    assert not (project.folder / ".automl").exists()


# What breaks in the training --------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_training(project: Project) -> None:
    """One message, exit code 1, a saved state: told to skip, the same study goes on from there."""
    write_recipe(project, program=toy(bad=5, bad_for=2))
    code, _, err = project("run", "recipe.yaml")
    assert code == 1
    assert "the training of the supernet diverged at step 5: loss nan" in err
    assert "--set sharing.on_nan=skip" in err
    assert project.states() == {"recipe-rsps-candidates=6,finalists=2-0": "failed"}
    assert len(rows(project)) == 5

    code, out, err = project("run", "recipe.yaml", "--set", "sharing.on_nan=skip", "--json")
    assert code == 0, err
    assert json.loads(out)["supernet"]["skipped"] == 2
    gone_on = outcome(project)
    other = ["--study", "other", "--set", "sharing.on_nan=skip"]
    _, _, err = project("run", "recipe.yaml", *other)
    assert "2 steps skipped" in err
    with Ledger(project.folder / ".automl" / "ledger.db") as ledger:
        study = ledger.study("other")
        assert study is not None
        again = exact(ledger.supernets(study.id))
    assert {*again} - {*gone_on[0]} == {again[5]}  # where it stopped there is no record
    assert {*gone_on[0]} <= {*again}


def test_weights_that_are_lost_end_the_training(project: Project) -> None:
    """Skipping goes on for twenty steps in a row and no longer."""
    write_recipe(project, program=toy(bad=2, bad_for=99, steps=50), sharing="{on_nan: skip}")
    code, _, err = project("run", "recipe.yaml")
    assert code == 1
    assert "diverged at step 21" in err
    assert "a smaller learning rate" in err
    assert "on_nan=skip" not in err


def test_a_program_that_fails_is_told_in_a_line(project: Project) -> None:
    """The traceback is in a file, and the search is no mistake of ours."""
    write_recipe(project, program=toy(fails=5))
    code, _, err = project("run", "recipe.yaml")
    assert code == 1
    assert "the training of the supernet failed at step 6: ValueError: no more batches" in err
    assert "Traceback" not in err
    (file,) = project.folder.rglob("error.txt")
    assert "train_batches" in file.read_text("utf-8")


def test_a_state_that_cannot_be_read(project: Project) -> None:
    """One message that names the file; without it the same search begins anew."""
    write_recipe(project)
    assert project("run", "recipe.yaml").code == 0
    calm = outcome(project)
    (file,) = project.folder.rglob("supernet.pt")
    whole = file.read_bytes()
    for broken in (b"", b"nonsense", whole[: len(whole) // 2]):
        file.write_bytes(broken)
        code, _, err = project("run", "recipe.yaml")
        assert code == 1
        assert f"the state of the supernet, {file}, cannot be read: " in err
        assert "Traceback" not in err
    file.unlink()
    assert project("run", "recipe.yaml").code == 0
    assert outcome(project) == calm


def test_a_state_of_another_search(project: Project) -> None:
    """A supernet of other weights or of another length is not gone on with."""
    write_recipe(project)
    assert project("run", "recipe.yaml").code == 0
    for change in (["--set", "sharing.epochs=3"], ["--set", "program.lr=0.1", "--accept-changes"]):
        code, _, err = project("run", "recipe.yaml", *change)
        assert code == 1
        assert "supernet.pt is of a supernet of another program, space, algorithm or length" in err
        assert "--new" in err


# Kills ------------------------------------------------------------------------------------------


def test_killed_in_mid_training_the_search_is_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at a step; the same command comes to the result of an undisturbed one."""
    write_recipe(project, program=toy(dies=17), sharing="{compare: 2}")
    calm = Project(project.folder / "calm", monkeypatch, project._capsys)
    write_recipe(calm, program=toy(dies=17), sharing="{compare: 2}")
    calm.write("died", "")
    assert calm("run", "recipe.yaml").code == 0
    monkeypatch.chdir(project.folder)
    assert project.run("run", "recipe.yaml").code == 9
    assert rows(project)
    assert not project.finished()
    code, _, err = project("run", "recipe.yaml")
    assert code == 0, err
    assert outcome(project) == outcome(calm)
    assert len(project.finished()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["rsps", "tunas"])
def test_killed_at_8_moments_the_search_is_the_same(
    algorithm: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SIGKILL in the start, the training, the derivation and the trials: nothing changes."""
    keys = {
        "algorithm": f"{{name: {algorithm}{', candidates: 40' * (algorithm == 'rsps')}}}",
        "sharing": "{compare: 4, derived: 2}",
        "run": "{executor: pool, workers: 2}",
    }
    calm = Project(tmp_path / "calm", monkeypatch, capsys)
    write_recipe(calm, **keys, program=toy(pause=0.0, steps=40))
    assert calm.run("run", "recipe.yaml").code == 0

    project = Project(tmp_path / "killed", monkeypatch, capsys)
    write_recipe(project, **keys, program=toy(pause=0.03, steps=40))
    rng, kills, phases = random.Random(1), 0, set[str]()
    while kills < 8:
        with project.start("run", "recipe.yaml") as driver:
            _await_progress(project, driver, rng)
            driver.kill()
            driver.communicate()
        if driver.returncode != -signal.SIGKILL:
            break  # it was through
        kills += 1
        done = rows(project)
        whole = bool(done) and done[-1].step == done[-1].steps
        phases.add("trials" if project.trials() else "derivation" if whole else "training")
    assert project.run("run", "recipe.yaml").code == 0
    assert kills >= 5
    assert {"training", "trials"} <= phases
    assert outcome(project) == outcome(calm)
    assert project.processes() == []


def _await_progress(project: Project, driver: subprocess.Popen[str], rng: random.Random) -> None:
    """Until a record or a trial is new, and a random moment longer."""
    before = len(rows(project)), len(project.finished())
    deadline = time.monotonic() + 60
    while (len(rows(project)), len(project.finished())) == before and driver.poll() is None:
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.005)
    time.sleep(rng.uniform(0.0, 1.2))


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_mid_training(sign: signal.Signals, project: Project) -> None:
    """Exit code 130, where the training stands, the line to go on with, a state seconds old."""
    write_recipe(project, program=toy(pause=0.05, steps=100))
    with project.start("run", "recipe.yaml") as driver:
        while len(rows(project)) < 30 and driver.poll() is None:
            time.sleep(0.01)
        driver.send_signal(sign)
        _, err = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert "Traceback" not in err
    seen = rows(project)
    assert f"supernet: step {seen[-1].step} of 200" in err
    assert "interrupted" in err
    (file,) = project.folder.rglob("supernet.pt")
    assert seen[-1].time - file.stat().st_mtime < 3 * shared_state._SAVE_EVERY
    (line,) = [x for x in err.splitlines() if x.startswith("resume: ")]
    _, *arguments = shlex.split(line.removeprefix("resume: "))
    assert project.run(*arguments, "--set", "program.pause=0.05").code == 0
    assert rows(project)[: len(seen)] == seen  # times included: they stay as they were


def test_a_finished_study_has_nothing_left_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and nothing is trained; but more records may be asked for."""
    write_recipe(project)
    assert project("run", "recipe.yaml").code == 0
    calm = outcome(project)
    code, _, err = project("run", "recipe.yaml")
    assert code == 0, err
    assert "2 completed, all of them in earlier runs" in err
    assert "nothing left to do" in err
    assert "--trials" not in err
    assert outcome(project) == calm
    assert project("run", "recipe.yaml", "--set", "sharing.compare=2").code == 0
    assert outcome(project)[0] == calm[0]
    assert outcome(project)[1].items() >= calm[1].items()
    assert len(project.finished()) == 4
