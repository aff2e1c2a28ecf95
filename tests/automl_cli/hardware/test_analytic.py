"""The analytic model: peak, limits of the roofline, monotonicity, alignment, traffic."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import analytic
from automl_cli.hardware.analytic import Costs, Shapes, buildable, dram_bytes
from automl_cli.hardware.edge_accelerator import PARAMETERS, EdgeAccelerator, grid
from automl_cli.hardware.silicon import CLOCK_HZ, MB, WAYS, Array, area_mm2

BASE = dict(zip(PARAMETERS, EdgeAccelerator().point, strict=True))
CONV = LayerSpec("conv", 64, 128, 56, 56, 3)
DEPTHWISE = LayerSpec("depthwise", 192, 192, 48, 48, 5, 1, 192)
POINTWISE = LayerSpec("conv", 512, 256, 48, 48)
LINEAR = LayerSpec("linear", 1280, 1000, 1, 1)
LAYERS = (CONV, DEPTHWISE, POINTWISE, LINEAR)


def point(**values: float) -> Array:
    """The baseline with some other values: [1, 7]."""
    return np.array([[*(BASE | values).values()]])


def evaluate(hardware: Array, layers: Sequence[LayerSpec] = LAYERS) -> Costs:
    """Each layer once."""
    return analytic.evaluate(layers, [1] * len(layers), hardware)


def cycles(layer: LayerSpec, hardware: Array) -> float:
    """Of one layer on one accelerator."""
    return float(evaluate(hardware, [layer]).cycles[0, 0])


def test_a_layer_that_fills_the_array_runs_at_its_peak() -> None:
    """With bandwidth to spare, all of 16 x 4 x 64 x 4 products happen in each cycle."""
    layer = LayerSpec("conv", 256, 64, 32, 32, 3)
    found = evaluate(point(bandwidth_gbps=1e9), [layer])
    assert found.cycles[0, 0] == layer.madds / (4 * 4 * 4 * 64 * WAYS)
    assert found.utilization[0] == pytest.approx(1)


def test_one_unit_needs_a_quarter_of_the_multiply_adds() -> None:
    """One unit of four ways: a cycle for four products, if there are so many to sum up."""
    hardware = point(pe_x=1, pe_y=1, simd=1, lanes=1, bandwidth_gbps=1e9)
    for layer in (CONV, POINTWISE, LINEAR):
        assert cycles(layer, hardware) == layer.madds / WAYS


def test_little_bandwidth_gives_the_time_of_the_traffic() -> None:
    """The other side of the roofline: bytes over bytes per cycle."""
    hardware = point(bandwidth_gbps=0.001)
    traffic = dram_bytes(Shapes.of([LINEAR]), np.array([32 * MB]))[0, 0]
    assert traffic == 1280 * 1000
    assert cycles(LINEAR, hardware) == pytest.approx(traffic / 0.001e9 * CLOCK_HZ)


def test_one_channel_too_many_doubles_the_passes() -> None:
    """Nine output channels on eight lanes: twice the time of eight, 9/16 of the utilisation."""
    hardware = point(pe_x=1, pe_y=1, lanes=8, bandwidth_gbps=1e9)
    eight, nine = (LayerSpec("conv", 256, n, 16, 16) for n in (8, 9))
    assert cycles(nine, hardware) == 2 * cycles(eight, hardware)
    found = evaluate(hardware, [nine])
    assert found.utilization[0] == pytest.approx(9 / 16)


def test_depthwise_layers_leave_units_idle() -> None:
    """25 taps on 256 products of a lane; a fused convolution of as many bytes keeps them busy."""
    hardware = point(bandwidth_gbps=1e9)
    assert evaluate(hardware, [DEPTHWISE]).utilization[0] == pytest.approx(25 / 256)
    assert evaluate(hardware, [CONV]).utilization[0] > 0.7


@pytest.mark.parametrize("name", [n for n in PARAMETERS if n != "register_file_kb"])
def test_more_of_anything_is_never_slower(name: str) -> None:
    """For any layers and any accelerator; the memories have no say in the time but by fitting."""
    rng = random.Random(name)
    for _ in range(50):
        values = {n: rng.choice(choices) for n, choices in PARAMETERS.items()}
        layers = [
            LayerSpec("conv", rng.randrange(3, 300), rng.randrange(8, 300), size, size, 3)
            for size in rng.sample([7, 14, 28, 56, 112], 3)
        ]
        hardware = np.concatenate([point(**values | {name: v}) for v in PARAMETERS[name]])
        latency = evaluate(hardware, layers).latency_ms
        assert (np.diff(latency) <= 1e-12).all(), values


@pytest.mark.parametrize("name", PARAMETERS)
def test_more_of_anything_takes_area(name: str) -> None:
    """Strictly, at the baseline."""
    hardware = np.concatenate([point(**{name: value}) for value in PARAMETERS[name]])
    assert (np.diff(area_mm2(hardware)) > 0).all()


def test_the_area_of_the_baseline() -> None:
    """A regression value: 14.12 mm2, most of it memory; the least is 0.67 mm2."""
    assert area_mm2(point())[0] == pytest.approx(14.12, abs=0.01)
    assert area_mm2(grid()).min() == pytest.approx(0.674, abs=0.001)


def test_traffic_with_the_dram_takes_energy() -> None:
    """Activations that do not fit leave the chip, and that shows."""
    layer = LayerSpec("conv", 64, 64, 224, 224)
    fits, spills = evaluate(point(), [layer]), evaluate(point(local_memory_mb=0.05), [layer])
    assert spills.energy_mj[0] > fits.energy_mj[0]
    assert spills.latency_ms[0] > fits.latency_ms[0]


def test_traffic_when_nothing_fits() -> None:
    """Weights once, activations not at all or once each; else one of them again and again."""
    layer = LayerSpec("conv", 64, 64, 64, 64)
    activations, weights = 2 * 64 * 64 * 64, 64 * 64
    memory = np.array([activations / 0.75, activations / 2])
    found = dram_bytes(Shapes.of([layer]), memory)[0]
    assert found.tolist() == [weights, weights + activations]
    heavy = LayerSpec("conv", 2048, 2048, 4, 4)
    given, weights = 2048 * 16, 2048 * 2048
    again = dram_bytes(Shapes.of([heavy]), np.array([given]))[0, 0]
    assert (
        again == weights + 2 * given + 255 * given
    )  # 256 parts of the weights, half a memory each


def test_many_at_once_are_each_alone() -> None:
    """The tables over distinct values are read where they belong."""
    rng = np.random.default_rng(0)
    hardware = grid()[rng.permutation(50_000)[:200]]
    layers, times = [*LAYERS, CONV._replace(stride=2)], [1, 2, 3, 1, 5]
    together = analytic.evaluate(layers, times, hardware)
    for i in range(0, 200, 20):
        alone = analytic.evaluate(layers, times, hardware[i : i + 1])
        for many, one in zip(together, alone, strict=True):
            assert np.allclose(many[..., i], one[..., 0], rtol=1e-12)


def test_layers_add_up() -> None:
    """Latency is a sum over layers, and repeats count."""
    once, thrice = (analytic.evaluate([CONV], [n], point()) for n in (1, 3))
    assert thrice.latency_ms[0] == pytest.approx(3 * once.latency_ms[0])
    assert thrice.energy_mj[0] == pytest.approx(3 * once.energy_mj[0])
    assert thrice.utilization[0] == pytest.approx(once.utilization[0])


def test_which_accelerators_cannot_be_built() -> None:
    """One in twenty: 128 units, and a register file of 8 KB, 16 words of theirs."""
    found = grid()
    refused = found[~buildable(found)]
    assert len(refused) == len(found) / 20
    assert {(row[2], row[5]) for row in refused.tolist()} == {(128, 8)}


def test_a_row_must_fit() -> None:
    """A convolution over so many channels that half a local memory does not hold three rows."""
    layer = LayerSpec("conv", 2048, 8, 64, 64, 3)
    assert not evaluate(point(local_memory_mb=0.5), [layer]).feasible[0]
    assert evaluate(point(local_memory_mb=1), [layer]).feasible[0]
