"""The parametrised edge accelerator of NAHAS (Zhou et al. 2021, arXiv 2102.08619).

A grid of processing elements (PEs); each has a memory and some lanes; each lane has a register
file and SIMD units that multiply and add four int8 products in a cycle, at 0.8 GHz.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from automl_cli.costs import Infeasible
from automl_cli.hardware.cost import Cost, LayerCost
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.costs.layers import LayerSpec
    from automl_cli.hardware.analytic import Costs
    from automl_cli.hardware.layers import Network
    from automl_cli.hardware.silicon import Array

CostModel = Literal["analytic", "systolic", "zigzag", "learned"]
Point = tuple[float, ...]

PARAMETERS: Final[Mapping[str, tuple[float, ...]]] = {
    "pe_x": (1, 2, 4, 6, 8),
    "pe_y": (1, 2, 4, 6, 8),
    "simd": (16, 32, 64, 128),
    "lanes": (1, 2, 4, 8),
    "local_memory_mb": (0.5, 1, 2, 3, 4),
    "register_file_kb": (8, 16, 32, 64, 128),
    "bandwidth_gbps": (5, 10, 15, 20, 25),
}
"""NAHAS's space: 50,000 accelerators. Other values are accepted too."""


def grid() -> Array:
    """All accelerators of the space: [50000, 7], in the order of `PARAMETERS`."""
    import numpy as np

    axes = np.meshgrid(*PARAMETERS.values(), indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1).astype(np.float64)


@register
class EdgeAccelerator:
    """A device of 26.2 int8 TOPS as it stands.

    Args:
        pe_x, pe_y: columns and rows of PEs.
        simd: units of a lane, of four products each.
        lanes: of a PE.
        local_memory_mb: of a PE.
        register_file_kb: of a lane.
        bandwidth_gbps: of the DRAM, in gigabytes per second.
        cost_model: analytic takes microseconds; systolic is the same with the cycles of a
            systolic array; zigzag simulates, a second per network; learned reads `file`.
        file: of a learned cost model, see `learned`.

    Raises:
        UserError: a number that is not positive, an unknown cost model, a file too many or few.
    """

    def __init__(
        self,
        pe_x: int = 4,
        pe_y: int = 4,
        simd: int = 64,
        lanes: int = 4,
        local_memory_mb: float = 2,
        register_file_kb: float = 32,
        bandwidth_gbps: float = 20,
        cost_model: CostModel = "analytic",
        file: str | None = None,
    ) -> None:
        values = pe_x, pe_y, simd, lanes, local_memory_mb, register_file_kb, bandwidth_gbps
        for name, value in zip(PARAMETERS, values, strict=True):
            if not value > 0:
                raise UserError(f"EdgeAccelerator: {name} must be positive, got {value}", path=name)
        if (cost_model == "learned") != (file is not None):
            raise UserError(
                "EdgeAccelerator: cost_model: learned and file belong together",
                path="file" if file else "cost_model",
                hint="docs/hardware.md shows how to fit and save a cost model",
            )
        self.point: Point = tuple(map(float, values))
        self.cost_model, self.file = cost_model, file

    @property
    def tops(self) -> float:
        """Peak, in 10^12 operations per second; a multiply-add is two."""
        from automl_cli.hardware.silicon import CLOCK_HZ, WAYS

        pe_x, pe_y, simd, lanes, *_ = self.point
        return pe_x * pe_y * simd * lanes * WAYS * 2 * CLOCK_HZ / 1e12

    def cost(self, network: Network) -> Cost:
        """What a network costs here; the same question is answered from memory.

        Raises:
            Infeasible: the accelerator cannot be built, or cannot run the network.
            UserError: the cost model's package or file is missing.
        """
        return _cost(self.cost_model, self.file, self.point, network.layers, network.counts)


@lru_cache(maxsize=65_536)
def _cost(
    cost_model: CostModel,
    file: str | None,
    point: Point,
    layers: tuple[LayerSpec, ...],
    counts: tuple[int, ...],
) -> Cost:
    import numpy as np

    from automl_cli.hardware import analytic
    from automl_cli.hardware.silicon import WAYS

    hardware = np.array([point])
    named = ", ".join(f"{n} {v:g}" for n, v in zip(PARAMETERS, point, strict=True))
    if not analytic.buildable(hardware)[0]:
        raise Infeasible(f"no accelerator has a register file so small for its SIMD units: {named}")
    found = _evaluate(cost_model, file, hardware, layers, counts)
    if not found.feasible[0]:
        raise Infeasible(f"a row of a layer does not fit the local memory: {named}")
    pe_x, pe_y, simd, lanes, *_ = point
    peak = pe_x * pe_y * simd * lanes * WAYS
    cycles: list[float] = found.cycles[:, 0].tolist()
    return Cost(
        float(found.latency_ms[0]),
        float(found.energy_mj[0]),
        float(found.area_mm2[0]),
        float(found.utilization[0]),
        tuple(
            LayerCost(layer, count, taken, layer.madds / (taken * peak))
            for layer, count, taken in zip(layers, counts, cycles, strict=False)
        ),
    )


def _evaluate(
    cost_model: CostModel,
    file: str | None,
    hardware: Array,
    layers: tuple[LayerSpec, ...],
    counts: tuple[int, ...],
) -> Costs:
    from automl_cli.hardware import analytic, systolic

    match cost_model:
        case "analytic":
            return analytic.evaluate(layers, counts, hardware)
        case "systolic":
            return analytic.evaluate(layers, counts, hardware, systolic.compute_cycles)
        case "zigzag":
            from automl_cli.hardware import zigzag

            return zigzag.evaluate(layers, counts, hardware)
        case "learned":
            from automl_cli.hardware.learned import load

            assert file is not None
            return load(file).evaluate(layers, counts, hardware)
