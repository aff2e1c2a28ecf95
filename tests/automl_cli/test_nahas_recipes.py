"""The recipes of NAHAS: they load, and searches by them end within their limits."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cli.ledger import Ledger
from automl_cli.recipe import load_recipe
from automl_cli.tables.architectures import cell_operations
from automl_spaces.space import Space
from tests.automl_cli.command_line import Project
from tests.automl_cli.tables.sources import DATA, every_cell, needs_npz

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "recipes" / "nahas").glob("*.yaml"))
ACCELERATORS, CELLS, WIDTHS, IBN = 50_000, 15_625, 8**5, 3**17 * 2**16
EFFICIENTNET = 3**16 * 2**15  # the first block keeps its expansion
FUSED = 3 * (6 + 6) ** 16  # a block keeps its kind or is fused, each of 3 kernel sizes x 2
SIZES = {
    "static": 1,
    "fixed": IBN,
    "joint": IBN * ACCELERATORS,
    "oneshot": IBN * ACCELERATORS,
    "oneshot_front": IBN * ACCELERATORS,
    "fused_fixed": FUSED,
    "fused_joint": FUSED * ACCELERATORS,
    "efficientnet_static": 1,
    "efficientnet_fixed": EFFICIENTNET,
    "efficientnet_joint": EFFICIENTNET * ACCELERATORS,
    "efficientnet_oneshot_front": EFFICIENTNET * ACCELERATORS,
    "nats_fixed": CELLS,
    "nats_joint": CELLS * ACCELERATORS,
    "nats_front": CELLS * ACCELERATORS,
    "nats_size_joint": WIDTHS * ACCELERATORS,
    "nats_size_fixed": WIDTHS,
}


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """An empty project folder."""
    return Project(tmp_path, monkeypatch, capsys)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """All cells, the better the more they convolve: 80 %, 2 for each 3 x 3, 1 for each 1 x 1."""
    counts = [[cell_operations(a).count(f"nor_conv_{k}") for k in ("1x1", "3x3")]
              for a in every_cell()]  # fmt: skip
    accuracy = 80 + np.array(counts) @ [1, 2]
    columns = ("val_acc_12ep", "val_acc_200ep_mean", "val_acc_200ep_run0", "train_time_200ep_s",
               "params_M", "flops_M")  # fmt: skip
    np.savez(
        tmp_path / "cells.npz",
        arch=np.array([arch.encode() for arch in every_cell()]),
        columns=np.array([f"cifar10_{name}" for name in columns]),
        values=np.stack([accuracy.astype("float32")] * len(columns), axis=1),
    )
    return str(tmp_path / "cells.npz")


def best(project: Project) -> dict[str, Any]:
    """The metrics of what `automl best` has."""
    metrics: dict[str, Any] = json.loads(project("best", "--json").out)["metrics"]
    return metrics


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_loads(name: str) -> None:
    """And its space has the size that it is said to have."""
    space = Space.compile(load_recipe(f"nahas/{name}").template)
    assert space.size == SIZES.get(name, space.size)
    assert space.default() is not None


@pytest.mark.parametrize(
    "variant", ["joint", "fixed", "hardware_first", "network_first", "alternating"]
)
def test_the_best_is_within_the_limits(variant: str, project: Project, table: str) -> None:
    """However cell and accelerator are searched; most trials run outside of them."""
    settings = [f"program.source={table}", "budget.trials=300"]
    if variant.endswith("first"):
        parts = ["accelerator", "model"][:: 1 if variant == "hardware_first" else -1]
        settings.append(f"phases=[{', '.join(f'{{decide: {p}, trials: 150}}' for p in parts)}]")
    sets = [part for setting in settings for part in ("--set", setting)]
    code, _, err = project("run", f"nahas/nats_{variant}", "--no-mlflow", *sets)
    assert code == 0, err
    found = best(project)
    assert found["latency_ms"] <= 0.015
    assert found["area_mm2"] <= 14.2
    assert found["accuracy"] >= 82
    outside = [
        t for t in project.finished().values() if json.loads(t.metrics)["latency_ms"] > 0.015
    ]
    assert len(outside) > 30


def test_a_front_of_accuracy_and_latency(project: Project, table: str) -> None:
    """It is reported with its hypervolume, and drawn."""
    settings = ["--set", f"program.source={table}", "--trials", "120", "--no-mlflow"]
    code, _, err = project("run", "nahas/nats_front", *settings)
    assert code == 0, err
    _, out, _ = project("report", "nahas-nats_front", "--json", "-o", "report.html")
    (group,) = json.loads(out)["groups"]
    front = group["front"]
    assert front["hypervolume"]["mean"] > 0
    (study,) = group["studies"]
    curve = study["hypervolume_curve"]
    assert len(curve) == 120
    assert curve == sorted(curve)
    assert curve[-1] == study["hypervolume"]
    assert "accuracy" in (project.folder / "report.html").read_text(encoding="utf-8")


@needs_npz
@pytest.mark.slow
def test_joint_search_finds_the_optimum_of_the_testbed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """99.5 % of 90.724, the exact optimum within the limits, in 2,000 trials, in the median."""
    monkeypatch.setenv("AUTOML_NATS", str(DATA))
    code, _, err = project("run", "nahas/nats_joint", "--seeds", "5", "--no-mlflow")
    assert code == 0, err
    found = []
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        for study in ledger.studies():
            metrics = json.loads(project("best", study.name, "--json").out)["metrics"]
            assert metrics["latency_ms"] <= 0.015
            assert metrics["area_mm2"] <= 14.2
            found.append(metrics["accuracy"])
    assert sorted(found)[2] >= 0.995 * 90.724


@needs_npz
@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "limits", "expected"),
    [
        ("nats_fixed", (0.04, 2.5), (90.72, 89.40, None, None)),
        ("nats_fixed", (0.015, 14.2), (90.72, 90.72, 88.65, 88.65)),
        ("nats_size_fixed", (0.01, 2.5), (86.80, 85.54, None, None)),
        ("nats_size_fixed", (0.015, 14.2), (89.90, 89.90, 89.08, 89.08)),
    ],
)
def test_the_exact_optima(
    recipe: str, limits: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joint, hardware first, network first, fixed: as `docs/nahas.md` has them."""
    monkeypatch.setenv("AUTOML_NATS", str(DATA))
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    exact = importlib.import_module("nahas_exact")
    testbed, within = exact.Testbed(f"nahas/{recipe}"), exact.Limits(*limits)
    found = [
        getattr(testbed, n)(within) for n in ("joint", "hardware_first", "network_first", "fixed")
    ]
    assert [f and round(f, 2) for f in found] == list(expected)
