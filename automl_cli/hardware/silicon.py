"""Area and energy of the parts of an accelerator: the constants that every cost model shares.

Energies are of a 45 nm process at 0.9 V (Horowitz 2014, "Computing's energy problem", ISSCC);
areas are of the same process, shrunk ideally to 14 nm, so that the memory of an edge
accelerator gets the area of one. Only ratios mean anything. `docs/hardware.md` tells the origin
of each constant, and which of them are from memory.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLOCK_HZ: Final = 0.8e9
WAYS: Final = 4
"""int8 products of a SIMD unit in a cycle."""

KB, MB = 2.0**10, 2.0**20  # bytes
SHRINK: Final = (14 / 45) ** 2

# Picojoules; MAC: int8 multiplication 0.2, int32 addition 0.1.
MAC_PJ: Final = 0.3
DRAM_PJ_PER_BYTE: Final = 160.0
SRAM_PJ_PER_BYTE: Final = 1.25  # of 8 KB; grows with the size to the power of 0.475

# Square millimetres.
MAC_MM2: Final = 419e-6 * SHRINK  # int8 multiplier 282 um2, int32 adder 137 um2
SRAM_MM2_PER_KB: Final = 0.0034 * SHRINK
IO_MM2_PER_GBPS: Final = 0.1

# Watts that flow whether or not anything is computed.
LEAKAGE_W_PER_MM2: Final = 0.005
IO_W_PER_GBPS: Final = 0.002


def sram_pj_per_byte(size: Array) -> Array:
    """Energy of an access to an SRAM of `size` bytes, per byte."""
    energy: Array = SRAM_PJ_PER_BYTE * (size / (8 * KB)) ** 0.475
    return energy


def area_mm2(hardware: Array) -> Array:
    """Area of accelerators: [A, 7] -> [A]; the columns are `edge_accelerator.PARAMETERS`."""
    pe_x, pe_y, simd, lanes, memory, registers, bandwidth = hardware.T
    pes = pe_x * pe_y
    macs = pes * lanes * simd * WAYS
    kilobytes = pes * (memory * 1024 + lanes * registers)
    area: Array = macs * MAC_MM2 + kilobytes * SRAM_MM2_PER_KB + bandwidth * IO_MM2_PER_GBPS
    return area


def static_watts(hardware: Array) -> Array:
    """Power of idle accelerators: [A, 7] -> [A]."""
    power: Array = area_mm2(hardware) * LEAKAGE_W_PER_MM2 + hardware[:, 6] * IO_W_PER_GBPS
    return power
