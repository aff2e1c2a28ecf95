"""Searches from many seeds, side by side."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from automl_cli.campaign import seeds_of
from automl_cli.ledger import Ledger
from automl_spaces.errors import UserError
from tests.automl_cli.command_line import Project


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder to run commands in."""
    return Project(tmp_path, monkeypatch, capsys)


RUN = ("run", "recipe.yaml", "--executor", "inline", "--no-mlflow", "--trials", "6")


def _studies(project: Project) -> dict[int, list[str]]:
    """What every seed's trials were decided to be."""
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        return {
            s.seed: [t.decisions for t in ledger.trials(s.id, state="completed")]
            for s in ledger.studies()
        }


def test_every_seed_is_the_study_that_it_would_be_alone(project: Project) -> None:
    """Five seeds side by side are recorded as five runs one after the other would be."""
    project.recipe()
    outcome = project.run(*RUN, "--seeds", "5")
    assert outcome.code == 0, outcome.err
    side_by_side = _studies(project)
    assert sorted(side_by_side) == [0, 1, 2, 3, 4]
    assert all(len(trials) == 6 for trials in side_by_side.values())
    for seed in (0, 3):
        assert project(*RUN, "--seed", str(seed), "--study", f"alone-{seed}").code == 0
        with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
            alone = ledger.study(f"alone-{seed}")
            assert alone is not None
            assert [t.decisions for t in ledger.trials(alone.id)] == side_by_side[seed]
    assert not list((project.folder / ".automl" / "parts").iterdir())


def test_more_seeds_extend_a_campaign(project: Project) -> None:
    """What is there is not run again."""
    project.recipe()
    assert project.run(*RUN, "--seeds", "2").code == 0
    before = _studies(project)
    assert project.run(*RUN, "--seeds", "4").code == 0
    after = _studies(project)
    assert sorted(after) == [0, 1, 2, 3]
    assert {seed: after[seed] for seed in before} == before


def test_a_killed_campaign_is_resumed(project: Project) -> None:
    """After a kill in the middle every seed is there once, as if nothing had happened."""
    project.recipe("slow.yaml", program="!prog.slow", space="[{at: x, replace: !intv [0, 9]}]",
                   objective="{maximize: score}")  # fmt: skip
    line = ("run", "slow.yaml", *RUN[2:], "--seeds", "6")
    parts = project.folder / ".automl" / "parts"
    deadline = time.monotonic() + 60
    with project.start(*line) as process:
        while not (parts.exists() and any(parts.glob("*.db"))):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
    assert project.run(*line).code == 0
    killed = _studies(project)
    assert sorted(killed) == list(range(6))
    assert all(len(trials) == 6 for trials in killed.values())
    for seed in range(6):
        assert project(*line[:-2], "--seed", str(seed), "--study", f"alone-{seed}").code == 0
        with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
            alone = ledger.study(f"alone-{seed}")
            assert alone is not None
            assert [t.decisions for t in ledger.trials(alone.id)] == killed[seed]


def test_a_part_that_was_taken_over_before_a_kill_is_not_taken_over_again(
    project: Project,
) -> None:
    """The kill came after its studies were in the ledger, and before its file was removed."""
    project.recipe()
    assert project.run(*RUN, "--seeds", "4").code == 0
    before = _studies(project)
    parts = project.folder / ".automl" / "parts"
    shutil.copy(parts.with_name("ledger.db"), parts / "0.done")
    assert project.run(*RUN, "--seeds", "5").code == 0
    after = _studies(project)
    assert sorted(after) == [0, 1, 2, 3, 4]
    assert {seed: after[seed] for seed in before} == before
    assert not [*parts.iterdir()]


def test_with_workers_of_its_own_one_seed_follows_the_other(project: Project) -> None:
    """The pool has the cores busy already."""
    project.recipe(run="{workers: 2}")
    assert (
        project.run("run", "recipe.yaml", "--no-mlflow", "--trials", "3", "--seeds", "2").code == 0
    )
    assert {seed: len(trials) for seed, trials in _studies(project).items()} == {0: 3, 1: 3}


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [7, 8, 9]), ("2:5", [2, 3, 4]), ("1,5,7", [1, 5, 7])]
)
def test_seeds_are_a_number_a_range_or_a_list(text: str, seeds: list[int]) -> None:
    """A number counts from the recipe's own seed on."""
    assert seeds_of(text, 7) == seeds


@pytest.mark.parametrize("text", ["many", "0", "5:5", "1,x", "-3"])
def test_other_seeds_are_a_mistake(text: str) -> None:
    """Said before anything runs."""
    with pytest.raises(UserError, match="--seeds"):
        seeds_of(text, 0)
