"""The accelerator as a symbol: its space, its mistakes, its cost models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl_cli.costs import Infeasible
from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware.edge_accelerator import PARAMETERS, EdgeAccelerator, grid
from automl_cli.hardware.layers import Network
from automl_cli.recipe import load_recipe
from automl_spaces.errors import UserError
from automl_spaces.space import Space

NETWORK = Network.of([LayerSpec("conv", 3, 32, 112, 112, 3, 2), LayerSpec("conv", 32, 64, 56, 56)])
RECIPE = """
program: !TabularNATS
  model: !CellNet {}
  accelerator: !EdgeAccelerator {}
space: [overlays/accelerator.yaml]
objective: {maximize: accuracy}
budget: {trials: 1}
"""


def test_the_peak_of_the_baseline() -> None:
    """26.2 int8 TOPS, as the paper says; a 256th of it for the smallest of the space."""
    assert EdgeAccelerator().tops == pytest.approx(26.2144)
    assert EdgeAccelerator(1, 1, 16, 1).tops == pytest.approx(26.2144 / 256)


def test_the_grid_has_every_accelerator_once() -> None:
    """50,000 distinct points in the order of the parameters."""
    found = grid()
    assert found.shape == (50_000, 7)
    assert len(np.unique(found, axis=0)) == 50_000
    assert [len(np.unique(column)) for column in found.T] == [*map(len, PARAMETERS.values())]


def test_the_overlay_is_the_space(tmp_path: Path) -> None:
    """`overlays/accelerator.yaml` makes these points of a program with an accelerator."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    space = Space(load_recipe(str(recipe)).template)
    assert space.size == 50_000
    choices = {p.id.removeprefix("accelerator."): p.numbers for p in space.points}
    assert choices == dict(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_numbers_must_be_positive(name: str) -> None:
    """The message names the argument."""
    with pytest.raises(UserError, match=f"{name} must be positive, got 0"):
        EdgeAccelerator(**{name: 0})  # type: ignore[arg-type]


def test_a_learned_model_needs_its_file() -> None:
    """And no other takes one."""
    with pytest.raises(UserError, match="belong together"):
        EdgeAccelerator(cost_model="learned")
    with pytest.raises(UserError, match="belong together"):
        EdgeAccelerator(file="model.npz")


def test_a_register_file_too_small_is_infeasible() -> None:
    """The message shows the point."""
    with pytest.raises(Infeasible, match=r"register file.*simd 128.*register_file_kb 8"):
        EdgeAccelerator(simd=128, register_file_kb=8).cost(NETWORK)


def test_a_network_that_does_not_fit_is_infeasible() -> None:
    """A row of it is larger than half of the local memory."""
    wide = Network.of([LayerSpec("conv", 4096, 8, 64, 64, 3)])
    with pytest.raises(Infeasible, match="row of a layer"):
        EdgeAccelerator(local_memory_mb=1).cost(wide)


def test_costs_by_layer_add_up() -> None:
    """Cycles of the layers at 0.8 GHz are the latency; each is busy to a degree of its own."""
    found = EdgeAccelerator().cost(NETWORK)
    assert sum(c.cycles * c.times for c in found.per_layer) / 0.8e6 == pytest.approx(
        found.latency_ms
    )
    assert [c.layer for c in found.per_layer] == [*NETWORK.layers]
    assert all(0 < c.utilization <= 1 for c in found.per_layer)
    assert found.area_mm2 == pytest.approx(14.12, abs=0.01)


def test_a_systolic_array_is_slower_at_small_layers() -> None:
    """It must be filled and emptied; the energy of its traffic is the same, its leakage is not."""
    analytic = EdgeAccelerator().cost(NETWORK)
    systolic = EdgeAccelerator(cost_model="systolic").cost(NETWORK)
    assert systolic.latency_ms > analytic.latency_ms
    assert systolic.area_mm2 == analytic.area_mm2
