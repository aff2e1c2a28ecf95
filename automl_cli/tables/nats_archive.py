"""NATS-Bench's own archive, in its "simple" form: a folder with one file per architecture.

`meta.pickle.pbz2` lists the architectures, `%06d.pickle.pbz2` holds the results of one: by length
of schedule ("12", "200"), by data set and seed, accuracies and times by epoch. Two rules of the
archive's own interface are kept: cifar10 is validated by trainings on half of the training set
(`cifar10-valid`), and tested by trainings on all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_cli.tables.architectures import Data, Space
from automl_cli.tables.plain_pickle import read_plain_bz2
from automl_cli.tables.table import Curve, Record, Table, mean
from automl_spaces.errors import UserError

META = "meta.pickle.pbz2"
FOLDERS: dict[Space, str] = {
    "topology": "NATS-tss-v1_0-3ffb9-simple",
    "size": "NATS-sss-v1_0-50262-simple",
}
SCHEDULES: dict[Space, tuple[int, ...]] = {"topology": (12, 200), "size": (1, 12, 90)}


class ArchiveTable(Table):
    """One data set of an archive folder. Files are opened when their architecture is asked for.

    Raises:
        UserError: when the folder is not what it should be, or of the other space.
    """

    def __init__(self, folder: Path, space: Space, data: Data) -> None:
        super().__init__(str(folder), space, SCHEDULES[space])
        self._folder, self._data = folder, data
        meta = read_plain_bz2(folder / META)
        try:
            self._index = {str(arch): i for i, arch in enumerate(meta["meta_archs"])}
        except (KeyError, TypeError) as error:
            raise UserError(f"{folder / META} lists no architectures") from error
        if ("|" in next(iter(self._index), "")) != (space == "topology"):
            raise UserError(f"{folder} is no archive of the {space} space")

    def read(self, arch: str) -> Record | None:
        """The record of one file."""
        index = self._index.get(arch)
        if index is None:
            return None
        path = self._folder / f"{index:06d}.pickle.pbz2"
        try:
            return self._record(read_plain_bz2(path))
        except FileNotFoundError as error:
            raise UserError(f"{path}, the file of {arch}, is missing") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is not laid out as NATS-Bench's files are") from error

    def _record(self, file: dict[str, Any]) -> Record:
        by_schedule = {int(epochs): part["all_results"] for epochs, part in file.items()}
        trained = "cifar10-valid" if self._data == "cifar10" else self._data
        found = {epochs: _of(results, trained) for epochs, results in by_schedule.items()}
        runs = {epochs: [_curve(r, "x-valid") for r in found[epochs]] for epochs in found}
        final = self.schedules[-1]
        test_set = "ori-test" if self._data == "cifar10" else "x-test"
        tests = [_curve(r, test_set)[final] for r in _of(by_schedule[final], self._data)]
        first = found[self.schedules[0]][0]
        facts = {
            "final_accuracy": mean([run[final] for run in runs[final]]),
            "final_test_accuracy": mean(tests),
            "flops": float(first["flop"]),
            "params": float(first["params"]),
        }
        return Record(
            runs,
            mean(list(first["train_times"].values())),
            mean([s for k, s in first["eval_times"].items() if k.startswith("x-valid@")]),
            facts,
        )


def _of(results: dict[tuple[str, int], Any], data: str) -> list[Any]:
    """The trainings on one data set, ordered by seed."""
    return [results[key] for key in sorted(results) if key[0] == data]


def _curve(result: dict[str, Any], images: str) -> Curve:
    """Accuracy in percent on a set of images by epoch, counted from 1."""
    named = ((*key.split("@"), value) for key, value in result["eval_acc1es"].items())
    return dict(sorted((int(epoch) + 1, value) for part, epoch, value in named if part == images))
