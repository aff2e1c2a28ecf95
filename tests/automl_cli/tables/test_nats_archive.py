"""NATS-Bench's own archive: a small one of our own, and the published samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from automl_cli.tables.nats_archive import FOLDERS, ArchiveTable
from automl_cli.tables.simulated_time import size_seconds, topology_validation_seconds
from automl_spaces.errors import UserError
from tests.automl_cli.tables.sources import (
    POOLS,
    SAMPLES,
    SKIPS,
    needs_samples,
    write_archive,
    write_pickle,
)

ARCH_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
ARCH_284 = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|"


def test_a_record(tmp_path: Path) -> None:
    """Curves by seed, epochs from 1, tests from the trainings on all images."""
    table = ArchiveTable(write_archive(tmp_path / "a"), "topology", "cifar10")
    record = table[SKIPS]
    assert [run[12] for run in record.runs[12]] == [50.0, 60.0]  # seeds 111 and 777
    assert record.runs[12][0][1] == 39.0
    assert [*record.runs[12][0]] == [*range(1, 13)]
    assert record.runs[200] == [{199: 79.0, 200: 80.0}]
    assert (record.epoch_seconds, record.validation_seconds) == (10.0, 3.0)
    assert record.facts == {
        "final_accuracy": 80.0,
        "final_test_accuracy": 90.0,
        "flops": 12.5,
        "params": 0.25,
    }
    assert type(record.facts["params"]) is float


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    """The list of architectures may be longer than the archive."""
    table = ArchiveTable(write_archive(tmp_path / "a"), "topology", "cifar10")
    with pytest.raises(UserError, match=r"000000\.pickle\.pbz2.* is missing"):
        table[POOLS]


def test_the_other_space(tmp_path: Path) -> None:
    """An archive of cells has no widths."""
    folder = write_archive(tmp_path / "a")
    with pytest.raises(UserError, match="no archive of the size space"):
        ArchiveTable(folder, "size", "cifar10")


@pytest.mark.parametrize("content", [[], {}, {"12": {}}, {"12": {"all_results": {}}}, {"x": 1}])
def test_a_file_of_another_layout(tmp_path: Path, content: Any) -> None:
    """Named, and no traceback."""
    folder = write_archive(tmp_path / "a")
    write_pickle(folder / "000001.pickle.pbz2", content)
    with pytest.raises(UserError, match="not laid out as NATS-Bench's files are"):
        ArchiveTable(folder, "topology", "cifar10")[SKIPS]


def test_a_list_of_another_layout(tmp_path: Path) -> None:
    """The list of architectures, too."""
    folder = write_archive(tmp_path / "a")
    write_pickle(folder / "meta.pickle.pbz2", [1, 2])
    with pytest.raises(UserError, match="lists no architectures"):
        ArchiveTable(folder, "topology", "cifar10")


def test_a_hostile_file(tmp_path: Path) -> None:
    """An archive from anywhere runs nothing."""

    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "pwned"),)

    folder = write_archive(tmp_path / "a")
    write_pickle(folder / "000001.pickle.pbz2", {"12": Hostile()})
    with pytest.raises(UserError, match="which is no data"):
        ArchiveTable(folder, "topology", "cifar10")[SKIPS]
    assert not (tmp_path / "pwned").exists()


@needs_samples
def test_golden_values_of_the_topology_space() -> None:
    """Architectures 11 and 284, as the benchmark's documentation and files have them."""
    table = ArchiveTable(SAMPLES / FOLDERS["topology"], "topology", "cifar10")
    record = table[ARCH_11]
    assert record.facts["flops"] == pytest.approx(113.95137, abs=1e-6)
    assert record.facts["params"] == pytest.approx(0.802426, abs=1e-6)
    assert record.epoch_seconds == pytest.approx(12.462, abs=5e-4)
    assert record.validation_seconds == pytest.approx(4.151, abs=5e-4)
    assert [run[12] for run in record.runs[12]] == pytest.approx([62.58, 63.98], abs=0.005)
    tests = (91.20, 91.79, 91.76)
    assert record.facts["final_test_accuracy"] == pytest.approx(sum(tests) / 3, abs=0.005)
    other = table[ARCH_284]
    assert other.facts["flops"] == pytest.approx(11.715, abs=5e-4)
    assert other.epoch_seconds == pytest.approx(4.876, abs=5e-4)
    tests = (89.09, 88.73, 88.55)
    assert other.facts["final_test_accuracy"] == pytest.approx(sum(tests) / 3, abs=0.005)


@needs_samples
def test_golden_values_of_the_size_space() -> None:
    """Architecture 284: three schedules, of which the second has three trainings."""
    record = ArchiveTable(SAMPLES / FOLDERS["size"], "size", "cifar10")["8:8:40:32:40"]
    assert record.facts["flops"] == pytest.approx(21.828, abs=5e-4)
    assert record.epoch_seconds == pytest.approx(3.347, abs=5e-4)
    assert record.facts["final_accuracy"] == pytest.approx(86.80, abs=0.005)
    assert record.facts["final_test_accuracy"] == pytest.approx(89.51, abs=0.005)
    assert {epochs: len(runs) for epochs, runs in record.runs.items()} == {1: 1, 12: 3, 90: 1}
    assert len(record.runs[90][0]) == 90


@needs_samples
def test_cifar100_has_no_long_curves() -> None:
    """The archive validated its 200-epoch trainings on cifar100 at their end only."""
    record = ArchiveTable(SAMPLES / FOLDERS["topology"], "topology", "cifar100")[ARCH_11]
    assert [len(run) for run in record.runs[12]] == [12]
    assert [[*run] for run in record.runs[200]] == [[200]] * 3
    assert record.facts["final_test_accuracy"] == pytest.approx(67.6067, abs=1e-3)


@needs_samples
def test_the_fits_are_near_the_samples() -> None:
    """Simulated times where a source has none: within 10 % of what they were fitted to."""
    for data in ("cifar10", "cifar100", "ImageNet16-120"):
        table = ArchiveTable(SAMPLES / FOLDERS["topology"], "topology", data)
        for arch in (ARCH_11, ARCH_284):
            record = table[arch]
            fitted = topology_validation_seconds(data, record.epoch_seconds)
            assert fitted == pytest.approx(record.validation_seconds, rel=0.1)
        sizes = ArchiveTable(SAMPLES / FOLDERS["size"], "size", data)
        for arch in ("8:8:8:8:8", "8:8:8:16:32", "8:8:40:32:40"):
            record = sizes[arch]
            training, validation = size_seconds(data, record.facts["flops"])
            assert training == pytest.approx(record.epoch_seconds, rel=0.12)
            assert validation == pytest.approx(record.validation_seconds, rel=0.12)
