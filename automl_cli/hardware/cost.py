"""What a device (`automl_cli.programs.contracts.Device`) answers."""

from __future__ import annotations

from typing import NamedTuple

from automl_cli.costs.layers import LayerSpec


class LayerCost(NamedTuple):
    """One distinct layer of a network.

    Attributes:
        layer, times: what it is, and how often it occurs.
        cycles: of the device's clock, for one occurrence.
        utilization: share of the multiply-adds that could have been done meanwhile, 0 to 1.
    """

    layer: LayerSpec
    times: int
    cycles: float
    utilization: float


class Cost(NamedTuple):
    """What a network costs on a device, for one image; None is what the device does not know.

    Attributes:
        latency_ms: milliseconds.
        energy_mj: millijoules.
        area_mm2: of the device, in square millimetres.
        utilization: as of a layer, of the whole network.
        per_layer: where the model goes layer by layer.
    """

    latency_ms: float
    energy_mj: float | None = None
    area_mm2: float | None = None
    utilization: float | None = None
    per_layer: tuple[LayerCost, ...] = ()
