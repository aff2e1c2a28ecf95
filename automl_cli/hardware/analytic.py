"""A roofline model of an edge accelerator: many accelerators at once, in NumPy.

After NAHAS (Zhou et al. 2021, arXiv 2102.08619), whose simulator was never published; the
equations are our own. A layer takes

    cycles = max(positions * passes * steps, DRAM bytes / (bandwidth / clock))

with the positions of the output that a PE computes one after another, the passes over them for
all output channels that its lanes do not hold at once, and the steps in which the SIMD units
reduce input channels and window. The PEs of a row share out either columns of the image or output
channels, those of a column either rows or output channels: whatever is quickest.

Written here: L layers, A accelerators, bytes of int8 values. A table over the few distinct
values of some columns is made first and then read A times, which is what makes it quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import silicon
from automl_cli.hardware.silicon import KB, MB, WAYS, Array

ACCUMULATOR_BYTES = 4
MIN_WORDS = 32  # an SRAM of fewer words than this is no macro that anybody makes


class Costs(NamedTuple):
    """What a network costs on each of A accelerators.

    Attributes:
        latency_ms, energy_mj, area_mm2: [A].
        utilization: share of the multiply-adds that the accelerator could have done meanwhile, [A].
        feasible: whether the accelerator can be built and can run the network, [A].
        cycles: of each layer, [L, A].
    """

    latency_ms: Array
    energy_mj: Array
    area_mm2: Array
    utilization: Array
    feasible: NDArray[np.bool_]
    cycles: Array


class Shapes(NamedTuple):
    """Layers as columns: each is [L, 1]."""

    cin: Array
    cout: Array
    oh: Array
    ow: Array
    k: Array
    stride: Array
    groups: Array

    @classmethod
    def of(cls, layers: Sequence[LayerSpec]) -> Shapes:
        """The columns of a list of layers."""
        rows = [(s.cin, s.cout, s.oh, s.ow, s.k, s.stride, s.groups) for s in layers]
        return cls(*np.array(rows, dtype=np.float64).T[:, :, None])

    @property
    def reduction(self) -> Array:
        """Products that are summed up to one output."""
        return self.cin / self.groups * self.k**2

    @property
    def weights(self) -> Array:
        """Bytes of weights, or of the second operand of a matrix product."""
        return self.reduction * self.cout

    @property
    def madds(self) -> Array:
        """Multiply-adds."""
        return self.weights * self.oh * self.ow

    @property
    def given(self) -> Array:
        """Bytes of the input; what a strided 1 x 1 kernel steps over is not read."""
        step = np.minimum(self.stride, self.k)
        return self.cin * (self.oh * step) * (self.ow * step)

    @property
    def made(self) -> Array:
        """Bytes of the output."""
        return self.cout * self.oh * self.ow


class Split(NamedTuple):
    """How a layer is shared out among the PEs: each [L, A].

    Attributes:
        positions: of the output for one PE.
        passes: over them, until all of a PE's output channels are done.
        tiles: parts that the image is cut into.
        slices: parts that the output channels are cut into.
    """

    positions: Array
    passes: Array
    tiles: Array
    slices: Array


def split(shapes: Shapes, pe_x: Array, pe_y: Array, lanes: Array) -> Split:
    """The quickest of the four ways; PEs that would have nothing to do are no part of it."""
    best: Split | None = None
    for x_tiles, x_slices in ((pe_x, 1.0), (1.0, pe_x)):
        for y_tiles, y_slices in ((pe_y, 1.0), (1.0, pe_y)):
            columns, rows = np.ceil(shapes.ow / x_tiles), np.ceil(shapes.oh / y_tiles)
            slices = np.minimum(x_slices * y_slices, np.ceil(shapes.cout / lanes))
            found = Split(
                rows * columns,
                np.ceil(shapes.cout / (lanes * slices)),
                np.ceil(shapes.oh / rows) * np.ceil(shapes.ow / columns),
                slices + 0 * columns,
            )
            if best is None:
                best = found
                continue
            quicker = found.positions * found.passes < best.positions * best.passes
            best = Split(*(np.where(quicker, a, b) for a, b in zip(found, best, strict=True)))
    assert best is not None
    return best


Compute = Callable[[Shapes, Array], Array]


def compute_cycles(shapes: Shapes, hardware: Array) -> Array:
    """Cycles of the multiply-adds alone: [L, A] for accelerators [A, 7]."""
    pe_x, pe_y, simd, lanes, *_ = hardware.T
    shared = split(shapes, pe_x, pe_y, lanes)
    cycles: Array = shared.positions * shared.passes * np.ceil(shapes.reduction / (simd * WAYS))
    return cycles


def dram_bytes(shapes: Shapes, memory: Array) -> Array:
    """Traffic with the DRAM: [L, A] for so many bytes of memory on chip, [A].

    Weights come in once for each network. Activations stay on the chip where a layer's input
    and output fit beside a quarter that is kept for weights; otherwise they come in and go out
    once, and either they or the weights again for each part of the other that fits into half.
    """
    given, made, weights = shapes.given, shapes.made, shapes.weights
    stays = given + made <= 0.75 * memory
    half = memory / 2
    again = np.minimum(
        weights * (np.ceil((given + made) / half) - 1), given * (np.ceil(weights / half) - 1)
    )
    traffic: Array = weights + np.where(stays, 0.0, given + made + again)
    return traffic


def evaluate(
    layers: Sequence[LayerSpec],
    counts: Sequence[int],
    hardware: Array,
    compute: Compute = compute_cycles,
) -> Costs:
    """A network on accelerators.

    Args:
        layers: its distinct layers.
        counts: how often each occurs.
        hardware: accelerators, [A, 7]; the columns are `edge_accelerator.PARAMETERS`.
        compute: cycles of the multiply-adds, [L, A].
    """
    shapes, repeats = Shapes.of(layers), np.array(counts, dtype=np.float64)
    pe_x, pe_y, simd, lanes, memory, _, bandwidth = hardware.T
    on_chip = pe_x * pe_y * memory * MB

    sizes, which_size = np.unique(on_chip, return_inverse=True)
    traffic = dram_bytes(shapes, sizes)
    arrays, which_array = _distinct(hardware, 4)
    cycles = compute(shapes, arrays)[:, which_array]
    np.maximum(cycles, traffic[:, which_size] * (silicon.CLOCK_HZ / (bandwidth * 1e9)), out=cycles)
    total = repeats @ cycles

    picojoules = (
        (repeats @ shapes.madds) * silicon.MAC_PJ
        + (repeats @ traffic)[which_size] * silicon.DRAM_PJ_PER_BYTE
        + _on_chip_picojoules(shapes, repeats, hardware)
    )
    seconds = total / silicon.CLOCK_HZ
    peak = pe_x * pe_y * lanes * simd * WAYS
    return Costs(
        latency_ms=seconds * 1e3,
        energy_mj=picojoules * 1e-9 + silicon.static_watts(hardware) * seconds * 1e3,
        area_mm2=silicon.area_mm2(hardware),
        utilization=(repeats @ shapes.madds) / (total * peak),
        feasible=buildable(hardware) & _fits(shapes, memory),
        cycles=cycles,
    )


def buildable(hardware: Array) -> NDArray[np.bool_]:
    """Whether the register file is deep enough for words as wide as the SIMD units: [A]."""
    _, _, simd, _, _, registers, _ = hardware.T
    found: NDArray[np.bool_] = registers * KB >= MIN_WORDS * simd * WAYS
    return found


def _fits(shapes: Shapes, memory: Array) -> NDArray[np.bool_]:
    """Whether half of a PE's memory holds the rows that one row of a layer's output needs: [A]."""
    step = np.minimum(shapes.stride, shapes.k)
    row = shapes.k * shapes.cin / shapes.groups * shapes.ow * step
    return np.asarray(row.max() <= memory * MB / 2)


def _on_chip_picojoules(shapes: Shapes, repeats: Array, hardware: Array) -> Array:
    """Energy of register files and local memories, of the whole network: [A].

    For each product an input is read from the register file, and either its weight, or the
    accumulator is read and written once for all products of a lane and cycle (weights stay put
    while there are several positions).

    Between local memory and register file, half of which holds accumulators of p positions times
    n passes, inputs move once for every n passes and weights once for every p positions; n and p
    are what is least in sum: sqrt, as in Hong and Kung 1981.
    """
    _, _, simd, _, memory, registers, _ = hardware.T
    products = shapes.madds
    widths, which_width = np.unique(simd, return_inverse=True)
    together = shapes.reduction / np.ceil(shapes.reduction / (widths * WAYS))
    moved = np.minimum(1.0, 2 * ACCUMULATOR_BYTES / together)
    in_registers = (repeats @ (products * (1 + moved)))[which_width]

    keys = hardware[:, [0, 1, 3, 5]]
    distinct, which = _distinct(keys, 4)
    shared = split(shapes, distinct[:, 0], distinct[:, 1], distinct[:, 2])
    held = distinct[:, 3] * KB / 2 / ACCUMULATOR_BYTES
    # An input is needed by all output channels of its group, a weight by all positions.
    readers = np.maximum(1.0, shared.slices * shared.passes / shapes.groups)
    weights = shapes.weights * shared.tiles
    x, y = shapes.given * readers, weights * shared.positions
    most = np.maximum(1.0, np.minimum(shared.passes / shapes.groups, held))
    n = np.clip(np.sqrt(x * held / y), 1.0, most)
    p = np.minimum(held / n, shared.positions)
    inputs, kernels = x / n, y / p
    read = repeats @ (inputs + kernels + weights + shapes.made)
    filled = repeats @ (inputs * np.maximum(1.0, distinct[:, 2] / shapes.groups) + kernels)
    local = silicon.sram_pj_per_byte(memory * MB)
    register = silicon.sram_pj_per_byte(registers * KB)
    energy: Array = in_registers * register + read[which] * local + filled[which] * register
    return energy


def _distinct(rows: Array, columns: int) -> tuple[Array, NDArray[np.intp]]:
    """The distinct rows by their first columns, and which of them each row is."""
    key = np.zeros(len(rows), dtype=np.int64)
    for column in rows[:, :columns].T:
        values, place = np.unique(column, return_inverse=True)
        key = key * len(values) + place
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return rows[first], which
