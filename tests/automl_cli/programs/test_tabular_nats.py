"""NATS-Bench as a program: what it answers, what it reports, and how quickly."""

from __future__ import annotations

import subprocess
import sys
import timeit
from pathlib import Path
from typing import Any

import pytest

from automl_cli.programs.cell_net import CellNet, cell_of
from automl_cli.programs.tabular_nats import TabularNATS
from automl_cli.tables.simulated_time import topology_validation_seconds
from automl_spaces.errors import UserError
from automl_spaces.trial import Pruned, Trial
from tests.automl_cli.tables.sources import (
    SKIPS,
    install_package,
    write_archive,
    write_size,
    write_topology,
)


@pytest.fixture
def npz(tmp_path: Path) -> str:
    """A file of two cells, with 12 and 200 epochs of cifar10."""
    return str(write_topology(tmp_path / "t.npz"))


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """An archive with the curves of one cell; its 12-epoch trainings end at 50 and 60 %."""
    return str(write_archive(tmp_path / "archive"))


def nats(source: str, model: CellNet | None = None, **options: Any) -> TabularNATS:
    """The program for a network, by default with a cell of skips."""
    return TabularNATS(model or CellNet(cell_of(SKIPS)), source=source, **options)


def test_the_metrics(npz: str) -> None:
    """12 epochs and one validation pass; what comes after 200 epochs is only reported."""
    trial = Trial()
    assert nats(npz)(trial) == {
        "accuracy": 60.0,
        "simulated_seconds": 12 * 5.0 + topology_validation_seconds("cifar10", 5.0),
        "final_accuracy": 80.0,
        "final_test_accuracy": 83.0,
        "flops": 10.0,
        "params": 0.5,
    }
    assert trial.reports == 0  # one point is no curve


def test_a_network_of_the_size_space(tmp_path: Path) -> None:
    """Widths choose the space; the only schedule is the one that is used."""
    source = str(write_size(tmp_path / "s.npz"))
    found = nats(source, CellNet(widths=[64] * 5))(Trial())
    assert found["accuracy"] == found["final_accuracy"] == 90.0
    assert "final_test_accuracy" not in found


def test_a_training_by_seed_or_the_mean(npz: str) -> None:
    """Several trainings: the trial's seed chooses, always the same; both are chosen some time."""
    program = nats(npz, epochs=200)
    by_seed = [program(Trial(seed=seed))["accuracy"] for seed in range(30)]
    assert by_seed == [program(Trial(seed=seed))["accuracy"] for seed in range(30)]
    assert {*by_seed} == {79.0, 81.0}
    assert nats(npz, epochs=200, seeds="mean")(Trial())["accuracy"] == 80.0


def test_a_curve_is_reported(archive: str) -> None:
    """Every epoch, with what it would have cost to stop there; the last report is the result."""
    told: list[tuple[int, dict[str, float]]] = []
    trial = Trial(sink=lambda step, metrics: told.append((step, metrics)))
    found = nats(archive, seeds="mean")(trial)
    assert [step for step, _ in told] == [*range(1, 13)]
    assert told[0][1] == {"accuracy": 44.0, "simulated_seconds": 13.0}
    assert told[-1][1] == {"accuracy": 55.0, "simulated_seconds": 123.0}
    assert told[-1][1].items() <= found.items()


@pytest.mark.parametrize(("budget", "epochs"), [(4, 4), (1.33, 1), (3.9, 3), (12, 12)])
def test_a_budget_is_a_place_on_the_curve(archive: str, budget: float, epochs: int) -> None:
    """Fidelities are epochs of the same schedule, charged from its beginning."""
    trial = Trial(budget=budget)
    found = nats(archive, seeds="mean")(trial)
    assert found["accuracy"] == 43.0 + epochs
    assert found["simulated_seconds"] == 10.0 * epochs + 3.0
    assert trial.asked


def test_pruning_goes_through(archive: str) -> None:
    """A report may end the trial."""

    def stop(step: int, metrics: dict[str, float]) -> None:
        if step == 3:
            raise Pruned("enough")

    with pytest.raises(Pruned, match="enough"):
        nats(archive)(Trial(sink=stop))


@pytest.mark.parametrize(
    ("options", "budget", "message"),
    [
        ({"epochs": 90}, None, r"no 90-epoch trainings, only those of 12, 200 epochs"),
        ({}, 4, r"no accuracy after 4 epochs, only after 12"),
        ({"epochs": 200}, 12, r"no accuracy after 12 epochs, only after 200"),
        ({"data": "ImageNet16-120"}, None, "no validation accuracies of ImageNet16-120"),
    ],
)
def test_epochs_that_the_source_lacks(
    npz: str, options: dict[str, Any], budget: float | None, message: str
) -> None:
    """The message names those that it has."""
    with pytest.raises(UserError, match=message):
        nats(npz, **options)(Trial(budget=budget))


def test_more_than_the_schedule(archive: str) -> None:
    """A budget beyond the end of the training is no training that was recorded."""
    with pytest.raises(UserError, match="no accuracy after 13 epochs"):
        nats(archive)(Trial(budget=13))


def test_the_package_has_only_200_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the default there, and asking for 12 says so."""
    install_package(monkeypatch, tmp_path)
    assert nats("package", seeds="mean")(Trial())["accuracy"] == 81.0
    with pytest.raises(UserError, match=r"only those of 200 epochs \(epochs: 200\)"):
        nats("package", epochs=12)(Trial())


def test_networks_outside_of_the_space(npz: str, tmp_path: Path) -> None:
    """The nearest operation or width is named."""
    cell = [["none"], ["none", "none"], ["nor_conv_3x4", "none", "none"]]
    with pytest.raises(UserError, match="did you mean nor_conv_3x3"):
        nats(npz, CellNet(cell))(Trial())
    source = str(write_size(tmp_path / "s.npz"))
    with pytest.raises(UserError, match=r"no width 60.*nearest is 56"):
        nats(source, CellNet(widths=[8, 8, 8, 8, 60]))(Trial())


def test_networks_of_another_skeleton(npz: str, tmp_path: Path) -> None:
    """The table must not answer for a network that it is not about."""
    for model in (CellNet(cell_of(SKIPS), channels=32), CellNet(cell_of(SKIPS), cells=1)):
        with pytest.raises(UserError, match="trained with channels: 16, cells: 5"):
            nats(npz, model)(Trial())
    source = str(write_size(tmp_path / "s.npz"))
    with pytest.raises(UserError, match="one cell only"):
        nats(source, CellNet(cell_of(SKIPS), widths=[8] * 5))(Trial())


def test_a_call_takes_microseconds(npz: str) -> None:
    """A replay of millions of trials is a matter of minutes (measured: 5 us)."""
    trial = Trial(seed=3)
    nats(npz)(trial)
    calls = timeit.repeat(lambda: nats(npz)(trial), number=500, repeat=5)
    assert min(calls) / 500 < 60e-6  # ten times that, for a busy machine


def test_no_torch_is_needed() -> None:
    """Looking up is quick because nothing heavy is imported."""
    code = (
        "import sys, automl_cli.programs.tabular_nats, automl_cli.programs.tabular_fcnet\n"
        "print({'torch', 'numpy', 'mlflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
