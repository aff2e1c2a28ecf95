"""The simulator beside the analytic model; `benchmarks/accelerators.py` has rank correlations."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from automl_cli.costs import Infeasible
from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import analytic, zigzag
from automl_cli.hardware.edge_accelerator import EdgeAccelerator
from automl_cli.hardware.layers import Network
from automl_spaces.errors import UserError

INSTALLED = importlib.util.find_spec("zigzag") is not None
needs_zigzag = pytest.mark.skipif(not INSTALLED, reason="zigzag-dse is not installed")
LAYERS = (
    LayerSpec("conv", 3, 32, 56, 56, 3, 2),
    LayerSpec("conv", 32, 96, 28, 28),
    LayerSpec("depthwise", 96, 96, 28, 28, 5, 1, 96),
    LayerSpec("linear", 1280, 1000, 1, 1),
)


@pytest.mark.skipif(INSTALLED, reason="zigzag-dse is installed")
def test_what_to_install() -> None:
    """The message says it."""
    with pytest.raises(UserError, match=r"automl-cli\[hardware\]"):
        EdgeAccelerator(cost_model="zigzag").cost(Network.of(LAYERS))


@needs_zigzag
@pytest.mark.parametrize("accelerator", [EdgeAccelerator(), EdgeAccelerator(1, 2, 16, 8, 0.5)])
def test_it_agrees_on_single_layers(accelerator: EdgeAccelerator) -> None:
    """Cycles within 15 % (most within 4 %), energy within a factor of two."""
    hardware = np.array([accelerator.point])
    for layer in LAYERS:
        ours = analytic.evaluate([layer], [1], hardware)
        real = zigzag.evaluate([layer], [1], hardware)
        assert real.cycles[0, 0] == pytest.approx(ours.cycles[0, 0], rel=0.15), layer
        assert 0.5 < real.energy_mj[0] / ours.energy_mj[0] < 2, layer
        assert real.area_mm2 == ours.area_mm2


@needs_zigzag
def test_no_tiling_is_infeasible() -> None:
    """A local memory of a few bytes holds no part of a layer."""
    with pytest.raises(Infeasible, match="no tiling"):
        EdgeAccelerator(
            1, 1, 16, 1, local_memory_mb=1e-5, register_file_kb=2, cost_model="zigzag"
        ).cost(Network.of(LAYERS[:1]))
