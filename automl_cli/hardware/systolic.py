"""A systolic array, by the formula of SCALE-Sim (Samajdar et al. 2018, arXiv 1811.02883).

A product of [M, K] and [K, N] on R x C cells takes, in cycles,

    folds * (2 R + C + T - 2) - 1      weight stationary: folds over K and N, T = M
    folds * (R + C + T - 2) - 1        output stationary: folds over M and N, T = K

without stalls. Groups of channels follow one another, which is why depthwise convolutions are
slow there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from automl_cli.hardware.analytic import Shapes
from automl_cli.hardware.silicon import WAYS, Array

Dataflow = Literal["weight_stationary", "output_stationary"]


def systolic_cycles(
    shapes: Shapes, rows: Array, columns: Array, dataflow: Dataflow = "weight_stationary"
) -> Array:
    """Cycles of the multiply-adds alone: [L, A] for arrays of [A] rows and columns."""
    m, n, k = shapes.oh * shapes.ow, shapes.cout / shapes.groups, shapes.reduction
    along_rows, streamed, loads = (k, m, 2) if dataflow == "weight_stationary" else (m, k, 1)
    folds = np.ceil(along_rows / rows) * np.ceil(n / columns)
    cycles: Array = shapes.groups * (folds * (loads * rows + columns + streamed - 2) - 1)
    return cycles


def compute_cycles(shapes: Shapes, hardware: Array) -> Array:
    """The multipliers of an `EdgeAccelerator` as one array, weights staying: [L, A].

    SIMD units and rows of PEs reduce; lanes and columns of PEs hold output channels.
    """
    pe_x, pe_y, simd, lanes, *_ = hardware.T
    return systolic_cycles(shapes, pe_y * simd * WAYS, pe_x * lanes)
