"""Costs of hardware, asked of whole programs."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cli import costs
from automl_cli.costs import Infeasible
from automl_cli.hardware import edge_accelerator
from automl_cli.hardware.cost import Cost
from automl_cli.hardware.edge_accelerator import EdgeAccelerator
from automl_cli.hardware.layers import Network
from automl_cli.programs.cell_net import CellNet
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol

NAMES = ("latency_ms", "energy_mj", "area_mm2", "utilization")
EDGE = symbolize(EdgeAccelerator)


def look_up(model: Any, data: str = "cifar10", accelerator: Any = None) -> float:
    """Stands for a table."""
    return 0.0


class Stopwatch:
    """A device that knows latencies only."""

    def cost(self, network: Network) -> Cost:
        """One nanosecond for a thousand multiply-adds."""
        return Cost(network.madds * 1e-9)


def program(accelerator: Any = None) -> Symbol:
    """The ResNet cell on an accelerator."""
    return symbolize(look_up)(symbolize(CellNet)(), accelerator=accelerator)


def test_every_cost_is_found_by_its_name() -> None:
    """Regression values of the baseline accelerator."""
    on_edge = program(EDGE())
    found = {name: costs.load(name)(on_edge) for name in NAMES}
    assert found == pytest.approx(
        {"latency_ms": 0.03031, "energy_mj": 0.6626, "area_mm2": 14.122, "utilization": 0.1977},
        rel=1e-3,
    )
    assert set(NAMES) <= set(costs.names())


def test_all_costs_take_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an equal program on an equal accelerator takes none."""
    edge_accelerator._cost.cache_clear()
    for on_edge in (program(EDGE()), program(EDGE())):
        for name in NAMES:
            costs.load(name)(on_edge)
    assert edge_accelerator._cost.cache_info()[:2] == (1, 1)


def test_a_program_without_accelerator() -> None:
    """The hint is the line to add."""
    with pytest.raises(UserError, match="accelerator: !EdgeAccelerator"):
        costs.load("latency_ms")(program())
    with pytest.raises(UserError, match="has no accelerator"):
        costs.load("area_mm2")(3)


def test_something_that_is_no_device() -> None:
    """Named, and where it stands."""
    with pytest.raises(UserError, match="CellNet is no device"):
        costs.load("latency_ms")(program(symbolize(CellNet)()))


def test_a_device_that_does_not_know() -> None:
    """It says which cost, and who knows it."""
    timed = program(symbolize(Stopwatch)())
    assert costs.load("latency_ms")(timed) == pytest.approx(0.07856, rel=1e-3)
    with pytest.raises(UserError, match="Stopwatch does not know the cost energy_mj"):
        costs.load("energy_mj")(timed)


def test_an_accelerator_that_cannot_be() -> None:
    """Infeasible, whichever cost is asked."""
    for name in NAMES:
        with pytest.raises(Infeasible):
            costs.load(name)(program(EDGE(simd=128, register_file_kb=8)))
