"""SCALE-Sim's cycle count, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware.analytic import Shapes
from automl_cli.hardware.systolic import Dataflow, systolic_cycles

CONV = LayerSpec("conv", 64, 96, 28, 28, 3)  # M = 784, N = 96, K = 576
DEPTHWISE = LayerSpec("depthwise", 64, 64, 28, 28, 3, 1, 64)


@pytest.mark.parametrize(
    ("layer", "dataflow", "expected"),
    [
        (CONV, "weight_stationary", 18 * 3 * (2 * 32 + 32 + 784 - 2) - 1),
        (CONV, "output_stationary", 25 * 3 * (32 + 32 + 576 - 2) - 1),
        (DEPTHWISE, "weight_stationary", 64 * (2 * 32 + 32 + 784 - 2 - 1)),
        (DEPTHWISE, "output_stationary", 64 * (25 * (32 + 32 + 9 - 2) - 1)),
    ],
)
def test_the_formula(layer: LayerSpec, dataflow: Dataflow, expected: int) -> None:
    """Folds times filling, streaming and draining; channels of depthwise one after another."""
    side = np.array([32.0])
    assert systolic_cycles(Shapes.of([layer]), side, side, dataflow)[0, 0] == expected
