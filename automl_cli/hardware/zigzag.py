"""ZigZag (Mei et al. 2021, IEEE Trans. Computers 70(8)): a real simulator, layer by layer.

It searches the loop order of each layer and follows every word through the memories, stalls
included: about a second for a network, where `analytic` takes microseconds. Needs the package
`zigzag-dse` (the extra `hardware`).

The array is that of `analytic`: columns and rows of PEs, lanes, and products of a lane; the
layer is laid on it in the quickest of the same ways. Both share the constants of `silicon`:
what is checked by comparing them is tiling, traffic and stalls, and not silicon.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from automl_cli.costs import Infeasible
from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import analytic, silicon
from automl_cli.hardware.silicon import KB, MB, WAYS, Array
from automl_spaces.errors import UserError

ORDERS = (
    3  # `loma_lpf_limit`: the same cycles as the default 6, energy within 0.01 %, 1/20 the time
)
BITS = 8


class Simulated(NamedTuple):
    """One layer: cycles, and picojoules without what flows while nothing is computed."""

    cycles: float
    picojoules: float


def evaluate(layers: Sequence[LayerSpec], counts: Sequence[int], hardware: Array) -> analytic.Costs:
    """A network on one accelerator, [1, 7]; see `analytic.evaluate`.

    Raises:
        Infeasible: when ZigZag finds no order of the loops that fits the memories.
        UserError: when the package is not installed.
    """
    point = tuple(hardware[0].tolist())
    found = [simulate(layer._replace(per_channel=0), point) for layer in layers]
    repeats = np.array(counts, dtype=np.float64)
    cycles = np.array([[layer.cycles] for layer in found])
    seconds = repeats @ cycles / silicon.CLOCK_HZ
    picojoules = repeats @ np.array([[layer.picojoules] for layer in found])
    pe_x, pe_y, simd, lanes, *_ = hardware.T
    done = repeats @ analytic.Shapes.of(layers).madds
    return analytic.Costs(
        latency_ms=seconds * 1e3,
        energy_mj=picojoules * 1e-9 + silicon.static_watts(hardware) * seconds * 1e3,
        area_mm2=silicon.area_mm2(hardware),
        utilization=done / (repeats @ cycles * pe_x * pe_y * lanes * simd * WAYS),
        feasible=analytic.buildable(hardware),
        cycles=cycles,
    )


@lru_cache(maxsize=65_536)
def simulate(layer: LayerSpec, hardware: tuple[float, ...]) -> Simulated:
    """One layer on one accelerator.

    Activations stay on the chip if ZigZag can place them there; else all memories are used.

    Raises:
        Infeasible: see `evaluate`.
        UserError: see `evaluate`.
    """
    try:
        from zigzag.opt.loma.engine import NoValidLoopOrderingFoundException
    except ImportError as error:
        raise UserError(
            "cost_model: zigzag needs the package zigzag-dse",
            hint="pip install 'automl-cli[hardware]'",
        ) from error

    for on_chip in (True, False):
        try:
            return _run(layer, hardware, on_chip=on_chip)
        except NoValidLoopOrderingFoundException:
            continue
    raise Infeasible(f"ZigZag finds no tiling of {layer} for this accelerator")


def _run(layer: LayerSpec, hardware: tuple[float, ...], *, on_chip: bool) -> Simulated:
    from zigzag.mapping.temporal_mapping import TemporalMappingType
    from zigzag.parser.accelerator_factory import AcceleratorFactory
    from zigzag.parser.accelerator_validator import AcceleratorValidator
    from zigzag.parser.mapping_validator import MappingValidator
    from zigzag.parser.workload_factory import WorkloadFactory
    from zigzag.parser.workload_validator import WorkloadValidator
    from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
    from zigzag.stages.main import MainStage
    from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
    from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
    from zigzag.stages.results.reduce_stages import MinimalEDPStage
    from zigzag.stages.workload_iterator import WorkloadStage

    logging.getLogger("zigzag").setLevel(logging.ERROR)
    chip = AcceleratorValidator(_accelerator(hardware, on_chip=on_chip)).normalized_data
    mapping = MappingValidator([_mapping(layer, hardware)]).normalized_data
    workload = WorkloadValidator([_workload(layer)]).normalized_data
    stages = [
        WorkloadStage,
        SpatialMappingGeneratorStage,
        MinimalEDPStage,
        TemporalMappingGeneratorStage,
        CostModelStage,
    ]
    (found, _), *_ = MainStage(
        stages,
        accelerator=AcceleratorFactory(chip).create(),
        workload=WorkloadFactory(workload, mapping).create(),
        loma_lpf_limit=ORDERS,
        temporal_mapping_type=TemporalMappingType.UNEVEN,
        access_same_data_considered_as_no_access=True,
    ).run()
    return Simulated(float(found.latency_total2), float(found.energy_total))


def _accelerator(hardware: tuple[float, ...], *, on_chip: bool) -> dict[str, Any]:
    pe_x, pe_y, simd, lanes, memory, registers, bandwidth = hardware
    width = int(simd * WAYS)
    everything = ["I1", "I2", "O"]
    dram = round(bandwidth * 1e9 / silicon.CLOCK_HZ * 8)  # bits in a cycle
    return {
        "name": "edge",
        "operational_array": {
            "unit_energy": silicon.MAC_PJ,
            "unit_area": 0.0,
            "dimensions": ["D1", "D2", "D3", "D4"],
            "sizes": [int(pe_x), int(pe_y), int(lanes), width],
        },
        # From the lowest to the highest: ZigZag takes the order for the hierarchy.
        "memories": {
            "registers": _memory(registers * KB, width * BITS, everything, ["D4"]),
            "local": _memory(memory * MB, width * BITS * int(lanes), everything, ["D3", "D4"]),
            "dram": {
                **_memory(
                    2.0**40, dram, ["I2"] if on_chip else everything, ["D1", "D2", "D3", "D4"]
                ),
                "r_cost": silicon.DRAM_PJ_PER_BYTE * dram / 8,
                "w_cost": silicon.DRAM_PJ_PER_BYTE * dram / 8,
                "ports": [_port("read_write", 1, dram, ["I2"] if on_chip else everything)],
            },
        },
    }


def _memory(size: float, bits: int, operands: list[str], served: list[str]) -> dict[str, Any]:
    """An SRAM of `size` bytes; each operand has ports of `bits` of its own."""
    cost = float(silicon.sram_pj_per_byte(np.array(size))) * bits / 8
    return {
        "size": int(size * 8),
        "r_cost": cost,
        "w_cost": cost,
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "ports": [
            _port(kind, number, bits, [operand])
            for number, operand in enumerate(operands, 1)
            for kind in ("read", "write")
        ],
        "served_dimensions": served,
    }


def _port(kind: str, number: int, bits: int, operands: list[str]) -> dict[str, Any]:
    directions = {
        "read": {"I1": ["tl"], "I2": ["tl"], "O": ["tl", "th"]},
        "write": {"I1": ["fh"], "I2": ["fh"], "O": ["fl", "fh"]},
    }
    directions["read_write"] = {
        operand: directions["read"][operand] + directions["write"][operand] for operand in operands
    }
    return {
        "name": {"read": "r", "write": "w", "read_write": "rw"}[kind] + f"_port_{number}",
        "type": kind,
        "bandwidth_min": BITS,
        "bandwidth_max": bits,
        "allocation": [f"{o}, {way}" for o in operands for way in directions[kind][o]],
    }


def _workload(layer: LayerSpec) -> dict[str, Any]:
    sizes = _sizes(layer)
    relations = [f"i{axis}={layer.stride}*o{axis}+1*f{axis}" for axis in "xy"]
    return {
        "id": 0,
        "name": "layer",
        "operator_type": "Conv",
        "equation": "O[g][b][k][oy][ox]+=W[g][k][c][fy][fx]*I[g][b][c][iy][ix]",
        "dimension_relations": relations,
        "loop_dims": list(sizes),
        "loop_sizes": list(sizes.values()),
        "operand_precision": {"W": BITS, "I": BITS, "O": 32, "O_final": BITS},
        "operand_source": {"I": 0, "W": 0},
    }


def _sizes(layer: LayerSpec) -> dict[str, int]:
    groups, k = layer.groups, layer.k
    channels = {"G": groups, "B": 1, "K": layer.cout // groups, "C": layer.cin // groups}
    return {**channels, "OY": layer.oh, "OX": layer.ow, "FY": k, "FX": k}


def _mapping(layer: LayerSpec, hardware: tuple[float, ...]) -> dict[str, Any]:
    """The quickest of the ways in which `analytic` may lay the layer on the array."""
    pe_x, pe_y, simd, lanes, *_ = map(int, hardware)
    sizes = _sizes(layer)
    outputs = "K" if sizes["K"] > 1 else "G"
    windows = range(1, layer.k + 1)
    reductions = [
        {"C": min(sizes["C"], simd * WAYS // (fx * fy)), "FX": fx, "FY": fy}
        for fx, fy in itertools.product(windows, windows)
        if fx * fy <= simd * WAYS
    ]
    ways = itertools.product(("OX", outputs), ("OY", outputs), reductions)

    def steps(way: tuple[str, str, dict[str, int]]) -> int:
        used = dict(way[2])
        for dim, size in ((way[0], pe_x), (way[1], pe_y), (outputs, lanes)):
            used[dim] = used.get(dim, 1) * size
        found = 1
        for dim, size in sizes.items():
            found *= ceil(size / used.get(dim, 1))
        return found

    x, y, reduction = min(ways, key=steps)
    return {
        "name": "default",
        "spatial_mapping": {
            "D1": [f"{x}, {pe_x}"],
            "D2": [f"{y}, {pe_y}"],
            "D3": [f"{outputs}, {lanes}"],
            "D4": [f"{dim}, {size}" for dim, size in reduction.items()],
        },
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
