"""Devices that are measured: the Pixel 1 by its table, this processor by the clock."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from automl_cli.costs.layers import Shape
from automl_cli.costs.pixel1_latency import pixel1_latency
from automl_cli.hardware import this_cpu
from automl_cli.hardware.layers import Network, network_of
from automl_cli.hardware.pixel1 import Pixel1
from automl_cli.hardware.this_cpu import ThisCPU
from automl_cli.recipe import load_recipe
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize


def test_the_pixel_1_is_the_table() -> None:
    """The device answers what the cost of that name does, and nothing else."""
    program = load_recipe("mobilenet/proxyless").program
    found = Pixel1().cost(network_of(program))
    assert found.latency_ms == pixel1_latency(program)
    assert found[1:] == (None, None, None, ())
    with pytest.raises(UserError, match="networks of 22 blocks"):
        Pixel1().cost(Network((), ()))


def test_this_cpu_takes_longer_for_more() -> None:
    """Sixty-four times the products take more than twice the time, on any machine."""
    small, large = (nn.Conv2d(c, c, 3) for c in (32, 256))
    device = ThisCPU(repeats=5)
    slow = device.measure(large, (256, 32, 32))
    assert slow > 2 * device.measure(small, (32, 32, 32)) > 0


def test_this_cpu_measures_a_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An equal model is the same one; the number of threads is set back."""
    monkeypatch.setattr(this_cpu, "_measured", {})
    measured: list[int] = []
    measure = ThisCPU.measure

    def counting(self: ThisCPU, module: nn.Module, shape: Shape) -> float:
        measured.append(self.repeats)
        return measure(self, module, shape)

    monkeypatch.setattr(ThisCPU, "measure", counting)
    threads = torch.get_num_threads()
    networks = [Network((), (), symbolize(nn.Flatten)(), (1, 8, 8), 2) for _ in range(2)]
    first, second = (ThisCPU(repeats=3).cost(n).latency_ms for n in networks)
    assert first == second > 0
    assert measured == [3]
    ThisCPU(repeats=4).cost(networks[0])
    assert measured == [3, 4]
    assert torch.get_num_threads() == threads


def test_mistakes_about_this_cpu() -> None:
    """It needs something to run, and a number of runs."""
    with pytest.raises(UserError, match="only a list of layers"):
        ThisCPU().cost(Network((), ()))
    with pytest.raises(UserError, match="must be positive"):
        ThisCPU(repeats=0)
