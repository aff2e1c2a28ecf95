"""One-shot NAHAS: a policy that also draws accelerators, which act through costs alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_cli import costs
from automl_cli.costs import Infeasible
from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import analytic
from automl_cli.hardware.edge_accelerator import PARAMETERS, EdgeAccelerator, grid
from automl_cli.hardware.layers import Network
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.algorithms.weight_sharing.bandit import Arm, Casino
from tests.automl_cli.command_line import Project
from tests.automl_cli.supernets import Toy

NETWORK = Network.of(
    [LayerSpec("conv", 3, 32, 32, 32, 3), LayerSpec("conv", 32, 96, 16, 16, 3, 2)] * 3
)
AREA = 14.2


class Board(Casino):
    """One network, of constant quality, on an accelerator."""

    inert_arguments: ClassVar[tuple[str, ...]] = ("accelerator",)

    def __init__(self, model: Any, accelerator: Any = None) -> None:
        super().__init__(model)
        self.accelerator, self.steps = accelerator, 250


def test_the_policy_converges_on_the_fastest_feasible_hardware() -> None:
    """Of 50,000 accelerators, some of which cannot be built, where the accuracy says nothing."""
    hardware = grid()
    all_costs = analytic.evaluate(NETWORK.layers, NETWORK.counts, hardware)
    within = all_costs.feasible & (all_costs.area_mm2 <= AREA)
    latencies = np.sort(all_costs.latency_ms[within])
    accelerator = symbolize(EdgeAccelerator)(**{k: oneof([*v]) for k, v in PARAMETERS.items()})
    space = Space(symbolize(Board)(model=symbolize(Arm)(0.9), accelerator=accelerator))
    refused = 0

    def cost(decisions: Decisions) -> dict[str, float]:
        nonlocal refused
        try:
            found = space.materialise(decisions).accelerator.build().cost(NETWORK)
        except Infeasible:
            refused += 1
            return {"latency_ms": math.inf, "area_mm2": math.inf}
        return {"latency_ms": found.latency_ms, "area_mm2": found.area_mm2}

    bounds = {"latency_ms": (-math.inf, float(latencies[0])), "area_mm2": (-math.inf, AREA)}
    task, search = Task(Objective("accuracy"), 0, cost, bounds), TuNAS()
    for _ in Loop(lower(space), search, task, records=1):
        pass
    found = cost(next(search.derive(lambda: None)))
    assert refused > 5
    assert found["area_mm2"] <= AREA
    assert found["latency_ms"] <= 1.1 * latencies[0] < 0.5 * np.median(latencies)


def chip_ms(program: Any) -> float:
    """A cost of `Chip`, which is no accelerator for chip 3."""
    if program.accelerator.size == 3:
        raise Infeasible("there is no chip of size 3")
    return 6.0 / float(program.accelerator.size)


class Chip:
    """An accelerator of some size."""

    def __init__(self, size: int = 1) -> None:
        self.size = size


class ToyBoard(Toy):
    """A `Toy` that has an accelerator."""

    inert_arguments: ClassVar[tuple[str, ...]] = ("accelerator",)

    def __init__(self, model: Any, accelerator: Any = None, seed: int | None = None) -> None:
        super().__init__(model, seed=seed)
        self.accelerator = accelerator


class Boards(Project):
    """A project whose recipes search chips for a network, by a supernet alone."""

    def recipe(self, name: str = "recipe.yaml", **keys: str | None) -> Path:
        """Write a recipe with other keys."""
        here = "!tests.automl_cli.test_nahas_oneshot"
        network = "!torch.nn.Linear [4, 1]"
        usual = {
            "imports": f"[{here[1:]}, torch.nn]",
            "program": f"{here}.ToyBoard {{model: {network}, accelerator: {here}.Chip {{}}}}",
            "space": "[{at: accelerator.size, replace: !oneof [1, 2, 3, 4]}]",
            "objective": "{minimize: error}",
            "baseline": "false",
            "run": "{executor: inline}",
        }
        return super().recipe(name, **{**usual, **keys})


@pytest.fixture
def boards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Boards:
    """A project that knows the cost `chip_ms`."""
    entry = SimpleNamespace(load=lambda: chip_ms)
    monkeypatch.setattr(costs, "_theirs", lambda: {"chip_ms": entry})
    return Boards(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("bounds", "size"), [("{chip_ms: <= 2}", 4), ("{chip_ms: '>= 5'}", 1)], ids=["high", "low"]
)
def test_records_that_cannot_be_run_are_never_derived(
    bounds: str, size: int, boards: Boards
) -> None:
    """A search goes on over them, keeps its numbers finite, and ends within the constraints."""
    boards.recipe(
        constraints=bounds,
        algorithm="{name: tunas, delay: 0.1, warmup: 0, beta: -0.5}",
        sharing="{derived: 1, epochs: 6}",
    )
    code, out, err = boards("run", "recipe.yaml", "--json")
    assert code == 0, err
    (record,) = json.loads(out)["supernet"]["derived"]
    assert record["decisions"] == {"accelerator.size": size}
    assert "nan" not in out.lower()
    assert "inf" not in json.dumps(json.loads(out)["supernet"]["derived"]).lower()


def test_a_front_ends_on_the_fastest_chip_that_can_be_run(boards: Boards) -> None:
    """Where the bound accepts two, which are alike to the policy; then come its own records."""
    boards.recipe(
        constraints="{chip_ms: <= 3}",
        algorithm="{name: tunas, front: chip_ms}",
        sharing="{derived: 2, epochs: 2}",
    )
    code, out, err = boards("run", "recipe.yaml", "--json")
    assert code == 0, err
    derived = json.loads(out)["supernet"]["derived"]
    assert [record["decisions"]["accelerator.size"] for record in derived] == [4, 2]
