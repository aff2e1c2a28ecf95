"""Tables in an `.npz` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl_cli.tables.architectures import Data, Space, cell_operations
from automl_cli.tables.npz import NpzTable
from automl_cli.tables.simulated_time import topology_mflops
from automl_spaces.errors import UserError
from tests.automl_cli.tables.sources import (
    CONVS,
    DATA,
    POOLS,
    SKIPS,
    every_cell,
    needs_npz,
    write_size,
    write_topology,
)


def test_a_row_of_the_topology_space(tmp_path: Path) -> None:
    """Runs that are missing are left out, the mean over runs is no run."""
    table = NpzTable(write_topology(tmp_path / "t.npz"), "topology", "cifar10")
    assert (table.schedules, table.search_schedule) == ((12, 200), 12)
    record = table[SKIPS]
    assert record.runs == {12: [{12: 60.0}], 200: [{200: 79.0}, {200: 81.0}]}
    assert record.facts == {
        "final_accuracy": 80.0,
        "final_test_accuracy": 83.0,
        "params": 0.5,
        "flops": 10.0,
    }
    assert record.epoch_seconds == 5.0
    assert len(table[CONVS].runs[200]) == 3


def test_a_row_of_the_size_space(tmp_path: Path) -> None:
    """Only 90 epochs; the time grows with the arithmetic."""
    table = NpzTable(write_size(tmp_path / "s.npz"), "size", "cifar10")
    small, large = table["8:8:8:8:8"], table["64:64:64:64:64"]
    assert table.search_schedule == 90
    assert large.runs == {90: [{90: 90.0}]}
    assert 3 < small.epoch_seconds < large.epoch_seconds < 5


def test_a_row_is_read_once(tmp_path: Path) -> None:
    """The second look finds the same record."""
    table = NpzTable(write_topology(tmp_path / "t.npz"), "topology", "cifar10")
    assert table[SKIPS] is table[SKIPS]
    assert [*table] == [SKIPS]


def test_an_architecture_without_a_row(tmp_path: Path) -> None:
    """A cell of the space that the file lacks."""
    table = NpzTable(write_topology(tmp_path / "t.npz"), "topology", "cifar10")
    with pytest.raises(UserError, match="holds nothing about"):
        table[POOLS]


@pytest.mark.parametrize(
    ("space", "data", "message"),
    [
        ("size", "cifar10", "no table of the size space: it has no widths"),
        ("topology", "ImageNet16-120", "no validation accuracies of ImageNet16-120"),
        ("topology", "cifar100", "no training times of cifar100"),
    ],
)
def test_what_the_file_lacks(tmp_path: Path, space: Space, data: Data, message: str) -> None:
    """Said when the table is opened."""
    path = write_topology(tmp_path / "t.npz")
    with pytest.raises(UserError, match=message):
        NpzTable(path, space, data)


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    """A column without a name."""
    arrays = dict(np.load(write_topology(tmp_path / "t.npz")))
    arrays["columns"] = arrays["columns"][:-1]
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(UserError, match="but 2 architectures and 10 columns"):
        NpzTable(tmp_path / "odd.npz", "topology", "cifar10")


def test_no_table_at_all(tmp_path: Path) -> None:
    """Text, a cut file, and arrays that would have to be unpickled."""
    text = tmp_path / "text.npz"
    text.write_text("no archive", "utf-8")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(write_topology(tmp_path / "t.npz").read_bytes()[:400])
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, arch=np.array([{}], dtype=object))
    for path in (text, cut, pickled, tmp_path / "nothing.npz"):
        with pytest.raises(UserError, match=r"cannot be read as an \.npz file") as caught:
            NpzTable(path, "topology", "cifar10")
        assert "unsafe" not in str(caught.value)  # as NumPy advises


@needs_npz
def test_the_full_topology_table() -> None:
    """Its best cells are the published ones, and the closed form of the FLOPs fits its rows."""
    optima: dict[Data, float] = {"cifar10": 91.61, "cifar100": 73.49, "ImageNet16-120": 46.73}
    for data, best in optima.items():
        table = NpzTable(DATA / "nats_tss.npz", "topology", data)
        finals = [table[name].facts["final_accuracy"] for name in every_cell()]
        assert max(finals) == pytest.approx(best, abs=0.005)
        for name in every_cell()[::50]:
            counted = topology_mflops(data, cell_operations(name))
            assert counted == pytest.approx(table[name].facts["flops"], abs=1e-3)


@needs_npz
def test_the_mean_cost_of_a_search_step() -> None:
    """A cell takes 113 s on cifar10, so that the benchmark's 20,000 s are some 175 of them."""
    table = NpzTable(DATA / "nats_tss.npz", "topology", "cifar10")
    records = [table[name] for name in every_cell()]
    mean = sum(12 * r.epoch_seconds + r.validation_seconds for r in records) / len(records)
    assert mean == pytest.approx(113, abs=0.5)


@needs_npz
def test_the_full_size_table() -> None:
    """The widest network is the best on cifar10, and another one is on cifar100."""
    for data, arch, best in (
        ("cifar10", "64:64:64:64:64", 90.71),
        ("cifar100", "64:48:48:64:64", 70.92),
    ):
        table = NpzTable(DATA / "nats_sss.npz", "size", data)  # type: ignore[arg-type]
        assert table[arch].facts["final_accuracy"] == pytest.approx(best, abs=0.005)
