"""From programs to networks: closed forms, memory, mistakes."""

from __future__ import annotations

import itertools
import random
import statistics
import subprocess
import sys
import time
from typing import Any

import pytest

from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import layers as module
from automl_cli.hardware.layers import Network, network_of
from automl_cli.programs.cell_net import CellNet
from automl_cli.recipe import load_recipe
from automl_cli.tables.architectures import OPERATIONS
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

NET = symbolize(CellNet)


def look_up(model: Any = None, data: Any = "cifar10") -> float:
    """Stands for a table."""
    return 0.0


PROGRAM = symbolize(look_up)


def test_equal_layers_are_one() -> None:
    """Whatever their bias; normalisation alone is none."""
    conv = LayerSpec("conv", 3, 8, 4, 4, 3)
    found = Network.of([conv, LayerSpec("norm", 8, 8, 4, 4, k=0), conv._replace(per_channel=1)])
    assert found.layers == (conv._replace(per_channel=0),)
    assert found.counts == (2,)
    assert found.madds == 2 * conv.madds


def test_the_topology_space_has_28_networks() -> None:
    """By how many of the six operations are 3 x 3 and 1 x 1 convolutions."""
    found = set()
    for a, b, c, d, e, f in itertools.combinations_with_replacement(OPERATIONS, 6):
        network = network_of(PROGRAM(NET([[a], [b, c], [d, e, f]])))
        found.add((network.layers, network.counts))
    assert len(found) == 28


def test_the_order_of_operations_does_not_matter_to_a_device() -> None:
    """What is remembered of one cell holds for another with the same operations."""
    one = NET([["nor_conv_3x3"], ["none", "skip_connect"], ["none", "none", "nor_conv_1x1"]])
    other = NET([["none"], ["nor_conv_1x1", "none"], ["skip_connect", "nor_conv_3x3", "none"]])
    first, second = network_of(PROGRAM(one)), network_of(PROGRAM(other))
    assert first.layers is second.layers
    module._remembered.cache_clear()
    assert network_of(PROGRAM(other)).layers == first.layers


def test_widths_are_not_taken_for_channels() -> None:
    """In the size space the order of operations does matter; it is derived anew."""
    narrow, wide = (network_of(PROGRAM(NET(widths=[w] * 5))) for w in (8, 16))
    assert narrow.madds < wide.madds


def test_the_data_decides_the_shape() -> None:
    """ImageNet16-120 has images of 16 pixels and 120 classes."""
    large, small = network_of(PROGRAM(NET())), network_of(PROGRAM(NET(), "ImageNet16-120"))
    assert (small.shape, small.classes, small.data) == ((3, 16, 16), 120, "ImageNet16-120")
    assert small.madds < large.madds


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (PROGRAM(), "no argument model"),
        (PROGRAM(NET(), "cifar"), "known by name: cifar10"),
        (3, "no argument model"),
    ],
)
def test_mistakes(program: Any, message: str) -> None:
    """Programs that are no networks on images."""
    with pytest.raises(UserError, match=message):
        network_of(program)


def test_a_module_without_closed_form_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal models are the same model, whatever object they are."""
    from automl_cli.hardware import tracing

    calls = []
    real = tracing.trace_model
    monkeypatch.setattr(tracing, "trace_model", lambda *args: calls.append(1) or real(*args))
    from torch import nn

    module._remembered.cache_clear()
    conv, sequence = symbolize(nn.Conv2d), symbolize(nn.Sequential)
    found = [network_of(PROGRAM(sequence(conv(3, 4, 3), conv(4, 5, 1)))) for _ in range(3)]
    assert len(calls) == 1
    assert [layer.cout for layer in found[0].layers] == [4, 5]


def test_a_fresh_network_takes_a_fraction_of_a_millisecond() -> None:
    """What a one-shot search asks at every step; measured 0.2 ms."""
    space, rng = Space(load_recipe("mobilenet/s1").template), random.Random(0)
    programs = [space.materialise(space.sample(rng)) for _ in range(50)]
    taken = []
    for program in programs:
        began = time.perf_counter()
        network_of(program)
        taken.append(time.perf_counter() - began)
    assert statistics.median(taken) < 0.005


def test_no_torch_is_needed_for_closed_forms() -> None:
    """A search over a table knows latencies without PyTorch."""
    code = """
import sys
from automl_cli.shipped import register_shipped
from automl_cli.hardware.edge_accelerator import EdgeAccelerator
from automl_cli.hardware.layers import network_of
from automl_spaces.registry import resolve
register_shipped()
program = resolve("TabularNATS")(resolve("CellNet")())
print(EdgeAccelerator().cost(network_of(program)).latency_ms > 0, "torch" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["True", "False"]
