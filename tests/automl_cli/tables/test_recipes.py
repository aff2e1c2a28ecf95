"""The recipes of the tabular benchmarks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from automl_cli.programs.cell_net import SIZE_CELL
from automl_cli.recipe import load_recipe
from automl_cli.tables.architectures import OPERATIONS, WIDTHS
from automl_cli.tables.fcnet import PARAMETERS
from automl_cli.tables.sources import open_table
from automl_spaces.points import label_of
from automl_spaces.space import Space
from automl_spaces.trial import Trial, run_program
from tests.automl_cli.command_line import Project
from tests.automl_cli.tables.sources import DATA, needs_npz


@pytest.fixture(autouse=True)
def full_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables that the tests marked so need."""
    monkeypatch.setenv("AUTOML_NATS", str(DATA))
    open_table.cache_clear()


def space_of(name: str) -> Space:
    """The space of a shipped recipe."""
    return Space.compile(load_recipe(name).template)


@pytest.mark.parametrize(
    ("name", "size"),
    [("nats/topology", 5**6), ("nats/size", 8**5), ("fcnet/joint", 62_208)],
)
def test_a_space_is_the_whole_table(name: str, size: int) -> None:
    """As many programs as the benchmark has rows."""
    assert space_of(name).size == size


def test_overlays_offer_what_the_tables_hold() -> None:
    """Operations, widths and every parameter of FCNet, no more and no less."""
    for name, values in (("nats/topology", OPERATIONS), ("nats/size", WIDTHS)):
        for point in space_of(name).points:
            assert [*point.labels] == [*map(label_of, values)], name
    for point in space_of("fcnet/joint").points:
        assert [*point.labels] == [*map(label_of, PARAMETERS[point.id])], point.id


def test_the_size_recipe_has_the_cell_of_its_space() -> None:
    """It leaves out the cell of the recipe that it extends."""
    space = space_of("nats/size")
    program = space.materialise(space.sample(random.Random(0)))
    assert program.build().model.cell == SIZE_CELL


@needs_npz
def test_a_budget_of_simulated_seconds_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trials are charged with what their trainings would have taken."""
    project = Project(tmp_path, monkeypatch, capsys)
    setting = ("--set", "budget.simulated_seconds=2000", "--set", "tracking.enabled=false")
    assert project("run", "nats/topology", *setting).code == 0
    metrics = [json.loads(trial.metrics) for trial in project.finished().values()]
    seconds = [found["simulated_seconds"] for found in metrics]
    assert sum(seconds[:-1]) < 2000 <= sum(seconds)


@needs_npz
def test_random_search_finds_what_was_published() -> None:
    """100 searches of 20,000 s on CIFAR-10: 91.07 +- 0.26 at the end of 200 epochs."""
    space, rng = space_of("nats/topology"), random.Random(0)
    cells = [space.materialise(space.sample(rng)) for _ in range(2000)]
    trials = [run_program(cell, Trial(seed=i)) for i, cell in enumerate(cells)]
    found = []
    for _ in range(100):
        spent, best = 0.0, {"accuracy": 0.0, "final_accuracy": 0.0}
        while spent < 20_000:
            trial = rng.choice(trials)
            spent += trial["simulated_seconds"]
            best = max(best, trial, key=lambda metrics: metrics["accuracy"])
        found.append(best["final_accuracy"])
    assert sum(found) / len(found) == pytest.approx(91.07, abs=0.15)
