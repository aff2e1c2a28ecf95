"""Measured tables: which cell, which device, what the compiler refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl_cli.costs import Infeasible
from automl_cli.hardware.hw_nas_bench import HwNasBench
from automl_cli.hardware.layers import Network
from automl_cli.programs.cell_net import CellNet, cell_of
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from tests.automl_cli.tables.sources import CONVS, DATA, POOLS, SKIPS, needs_npz

NET = symbolize(CellNet)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cells on two devices; the second cell does not compile for one."""
    columns = {
        "hw_cifar10_edgegpu_latency": [2.0, 5.0],
        "hw_cifar10_edgegpu_energy": [10.0, 25.0],
        "hw_cifar10_edgetpu_latency": [0.5, -1.0],
        "hw_cifar100_edgegpu_latency": [3.0, 6.0],
    }
    path = tmp_path / "nats_tss.npz"
    values = np.array([*columns.values()], dtype=np.float32).T
    np.savez(path, arch=np.array([SKIPS, CONVS]), columns=np.array([*columns]), values=values)
    monkeypatch.setenv("AUTOML_NATS", str(tmp_path))
    return path


def network(arch: str, data: str | None = "cifar10", **options: object) -> Network:
    """Of a cell."""
    return Network((), (), NET(cell_of(arch), **options), (3, 32, 32), 10, data)


def test_it_looks_up(table: Path) -> None:
    """By cell, device and data; the program's data unless it is told."""
    assert HwNasBench().cost(network(CONVS))[:3] == (5.0, 25.0, None)
    assert HwNasBench(data="cifar100").cost(network(CONVS))[:2] == (6.0, None)
    assert HwNasBench(source=str(table)).cost(network(SKIPS)).latency_ms == 2.0


def test_what_did_not_compile_is_infeasible(table: Path) -> None:
    """-1 is no latency."""
    device = HwNasBench("edgetpu")
    assert device.cost(network(SKIPS)).latency_ms == 0.5
    with pytest.raises(Infeasible, match="compiler of edgetpu refused"):
        device.cost(network(CONVS))


def test_mistakes(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says what it is about."""
    with pytest.raises(UserError, match="no latencies of fpga"):
        HwNasBench("fpga").cost(network(CONVS))
    with pytest.raises(UserError, match="not of None"):
        HwNasBench().cost(network(CONVS, None))
    with pytest.raises(UserError, match="channels: 16, cells: 5"):
        HwNasBench().cost(network(CONVS, channels=8))
    with pytest.raises(UserError, match="networks of !CellNet"):
        HwNasBench().cost(Network((), (), data="cifar10"))
    with pytest.raises(UserError, match="cannot be read"):
        HwNasBench(source=str(tmp_path / "other")).cost(network(CONVS))
    monkeypatch.delenv("AUTOML_NATS")
    with pytest.raises(UserError, match="AUTOML_NATS is not set"):
        HwNasBench().cost(network(CONVS))


def test_a_cell_that_the_table_lacks(table: Path) -> None:
    """The message names the cell."""
    with pytest.raises(UserError, match="holds nothing about"):
        HwNasBench().cost(network(POOLS))


@needs_npz
def test_the_real_table() -> None:
    """All devices know the ResNet cell; the Edge TPU's compiler refused 4,699 of 15,625 cells."""
    source = str(DATA)
    resnet = network(
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
    )
    for device in ("edgegpu", "raspi4", "pixel3", "eyeriss", "fpga"):
        found = HwNasBench(device, source=source).cost(resnet)  # type: ignore[arg-type]
        assert found.latency_ms > 0
        assert (found.energy_mj is None) == (device in {"raspi4", "pixel3"})
    with np.load(DATA / "nats_tss.npz") as arrays:
        column = arrays["columns"].tolist().index("hw_cifar10_edgetpu_latency")
        assert (arrays["values"][:, column] == -1).sum() == 4699
