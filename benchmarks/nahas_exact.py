"""The best pairs of a network and an accelerator within limits, by enumeration.

Networks have accuracies that a table recorded, accelerators the latency of the analytic model: a
sum over the layers of a network, of which a space has few. So the latency of a layer on every
accelerator is computed once, and those of a network are added up when they are asked for.

Registers change no latency, only whether an accelerator can be built, and its area: of
accelerators that differ in nothing else the smallest that can be built stands for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from automl_cli.hardware import analytic
from automl_cli.hardware.edge_accelerator import PARAMETERS, EdgeAccelerator, grid
from automl_cli.hardware.layers import Network, network_of
from automl_cli.hardware.silicon import area_mm2
from automl_cli.recipe import load_recipe
from automl_spaces.space import Space
from automl_spaces.trial import Trial

REGISTERS: Final = [*PARAMETERS].index("register_file_kb")


class Limits(NamedTuple):
    """What a pair may cost."""

    latency_ms: float
    area_mm2: float


class Testbed:
    """All pairs, by kinds of networks that cost the same.

    Attributes:
        pairs: how many there are.
        best: the highest accuracy of each kind, the highest first, [K].
        area: of each accelerator that is not ruled out, [A].
        reference: the static program's kind.
        baseline, baseline_area: its accelerator, but for the registers; area with them.

    Args:
        recipe: whose space is that of the networks alone.
    """

    def __init__(self, recipe: str) -> None:
        space = Space.compile(load_recipe(recipe).template)
        found = dict[Any, float]()
        for decisions in space.enumerate():
            program = space.materialise(decisions)
            kind, accuracy = _kind(network_of(program)), program.build()(Trial())["accuracy"]
            found[kind] = max(accuracy, found.get(kind, 0.0))
        kinds = sorted(found, key=lambda kind: -found[kind])
        self.best = np.array([found[kind] for kind in kinds])
        hardware = grid()
        self.pairs = int(space.size) * len(hardware)
        hardware = _smallest(hardware[analytic.buildable(hardware)])
        self.area = area_mm2(hardware)
        layers = sorted({layer for kind, _ in kinds for layer in kind})
        costs = [analytic.evaluate([layer], [1], hardware) for layer in layers]
        self._layers = np.array([np.where(c.feasible, c.latency_ms, np.inf) for c in costs])
        place = {layer: number for number, layer in enumerate(layers)}
        self._kinds = [([place[each] for each in kind], counts) for kind, counts in kinds]
        default = space.default()
        assert default is not None
        self.reference = kinds.index(_kind(network_of(space.materialise(default))))
        point = np.array([EdgeAccelerator().point])
        self.baseline_area = float(area_mm2(point)[0])
        alike = _without_registers(hardware) == _without_registers(point)
        self.baseline = int(np.flatnonzero(alike.all(axis=1))[0])

    def joint(self, limits: Limits) -> float | None:
        """The best accuracy of all pairs within the limits."""
        small = self._small(limits)
        # No network is quicker than its layers are, each on the accelerator that suits it best.
        bound = self._latency(self._layers[:, small].min(axis=1))
        return self._first(
            kind
            for kind in np.flatnonzero(bound <= limits.latency_ms)
            if (self._latencies(kind, small) <= limits.latency_ms).any()
        )

    def hardware_first(self, limits: Limits) -> float | None:
        """On the fastest accelerator for the static network; of equal ones the smallest."""
        latency = np.where(self._small(limits), self._latencies(self.reference), np.inf)
        return self._first(self._within(int(np.lexsort((self.area, latency))[0]), limits))

    def network_first(self, limits: Limits) -> float | None:
        """With some accelerator for what is best on the baseline, whose area does not count yet."""
        small = self._small(limits)
        return self._first(
            kind
            for kind in self._within(self.baseline, limits)[:1]
            if (self._latencies(kind, small) <= limits.latency_ms).any()
        )

    def fixed(self, limits: Limits) -> float | None:
        """On the baseline accelerator."""
        small = self.baseline_area <= limits.area_mm2
        return self._first(self._within(self.baseline, limits)) if small else None

    def _small(self, limits: Limits) -> Any:
        return self.area <= limits.area_mm2

    def _within(self, accelerator: int, limits: Limits) -> Any:
        """The networks within the latency on an accelerator, the best first."""
        return np.flatnonzero(self._latency(self._layers[:, accelerator]) <= limits.latency_ms)

    def _first(self, kinds: Iterable[int]) -> float | None:
        return next((float(self.best[kind]) for kind in kinds), None)

    def _latencies(self, kind: int, accelerators: Any = slice(None)) -> Any:
        """Of a network on accelerators."""
        places, counts = self._kinds[kind]
        return np.array(counts) @ self._layers[places][:, accelerators]

    def _latency(self, layers: Any) -> Any:
        """Of each network, [K], from the latency of each layer."""
        return np.array([layers[places] @ counts for places, counts in self._kinds])


def _smallest(hardware: Any) -> Any:
    """Of accelerators that differ in registers alone, the one with the fewest."""
    ordered = hardware[np.argsort(hardware[:, REGISTERS], kind="stable")]
    _, first = np.unique(_without_registers(ordered), axis=0, return_index=True)
    return ordered[first]


def _without_registers(hardware: Any) -> Any:
    return np.delete(hardware, REGISTERS, axis=1)


def _kind(network: Network) -> tuple[Any, Any]:
    return network.layers, network.counts
