"""NATS-Bench results in one `.npz` file, a row per architecture.

The file holds `values` (float, [architectures, columns]), the names of its `columns`, and either
`arch` (names of the topology space) or `widths` ([architectures, 5], the size space). Columns that
are read, with `d` one of `cifar10`, `cifar100`, `in16` and `n` a number of epochs:

- `d_val_acc_{n}ep`, or one column per training: `d_val_acc_{n}ep_run{k}`, NaN where there was none;
- `d_test_acc_{n}ep`, with any ending;
- `d_train_time_{n}ep_s`, `d_params_M`, `d_flops_M`.
"""

from __future__ import annotations

import re
import zipfile
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cli.tables.architectures import Data, Space, size_name
from automl_cli.tables.simulated_time import size_seconds, topology_validation_seconds
from automl_cli.tables.table import Record, Table, mean
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIXES: dict[Data, str] = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "in16"}


class NpzTable(Table):
    """One data set of an `.npz` file.

    Raises:
        UserError: when it cannot be read, is of the other space, or lacks what is needed.
    """

    def __init__(self, path: Path, space: Space, data: Data) -> None:
        arrays = _arrays(path)
        if space == "topology":
            names: list[str] = _need(arrays, "arch", path).astype("U").tolist()
        else:
            names = [size_name(widths) for widths in _need(arrays, "widths", path).tolist()]
        self._rows = {name: row for row, name in enumerate(names)}
        self._values: NDArray[np.float32] = _need(arrays, "values", path)
        columns: list[str] = _need(arrays, "columns", path).tolist()
        if self._values.shape != (len(names), len(columns)):
            raise UserError(
                f"{path} has values of {self._values.shape}, "
                f"but {len(names)} architectures and {len(columns)} columns"
            )
        self._columns = _Columns(columns, PREFIXES[data])
        self._data = data
        if not self._columns.valid:
            raise UserError(f"{path} holds no validation accuracies of {data}")
        if self._columns.training is None and (
            space == "topology" or "flops" not in self._columns.costs
        ):
            raise UserError(f"{path} holds no training times of {data}")
        super().__init__(str(path), space, list(self._columns.valid))

    def read(self, arch: str) -> Record | None:
        """The record of a row."""
        row = self._rows.get(arch)
        if row is None:
            return None
        values: list[float] = self._values[row].tolist()
        columns = self._columns
        runs = {
            epochs: [{epochs: values[i]} for i in found if not isnan(values[i])]
            for epochs, found in columns.valid.items()
        }
        final = self.schedules[-1]
        facts = {name: values[i] for name, i in columns.costs.items()}
        if runs[final]:
            facts["final_accuracy"] = mean([run[final] for run in runs[final]])
        if final in columns.test and not isnan(values[columns.test[final]]):
            facts["final_test_accuracy"] = values[columns.test[final]]
        if columns.training is None:
            return Record(runs, *size_seconds(self._data, facts["flops"]), facts)
        epochs, i = columns.training
        seconds = values[i] / epochs
        return Record(runs, seconds, topology_validation_seconds(self._data, seconds), facts)


class _Columns:
    """Where the values of one data set stand.

    Attributes:
        valid: by number of epochs, the column of each training.
        test: by number of epochs, one column.
        training: number of epochs, and the column of the seconds that they took.
        costs: columns of `params` and `flops`.
    """

    def __init__(self, names: list[str], prefix: str) -> None:
        self.valid: dict[int, list[int]] = {}
        self.test: dict[int, int] = {}
        self.training: tuple[int, int] | None = None
        self.costs: dict[str, int] = {}
        for i, name in enumerate(names):
            head, _, kind = name.partition("_")
            if head != prefix:
                continue
            if found := re.fullmatch(r"val_acc_(\d+)ep(_run\d+)?", kind):
                self.valid.setdefault(int(found[1]), []).append(i)
            elif found := re.fullmatch(r"test_acc_(\d+)ep(_\w+)?", kind):
                self.test[int(found[1])] = i
            elif found := re.fullmatch(r"train_time_(\d+)ep_s", kind):
                self.training = int(found[1]), i
            elif found := re.fullmatch(r"(params|flops)_M", kind):
                self.costs[found[1]] = i


def _arrays(path: Path) -> dict[str, Any]:
    import numpy as np

    # To anything else NumPy says that it may be loaded as a pickle, which is no good advice.
    if path.is_file() and not zipfile.is_zipfile(path):
        raise UserError(f"{path} cannot be read as an .npz file: it is none, or damaged")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise UserError(f"{path} cannot be read as an .npz file: {error}") from error


def _need(arrays: dict[str, Any], name: str, path: Path) -> Any:
    if name not in arrays:
        held = ", ".join(arrays)
        hint = {"arch": " of the topology space", "widths": " of the size space"}.get(name, "")
        raise UserError(f"{path} is no table{hint}: it has no {name}", hint=f"it has {held}")
    return arrays[name]
