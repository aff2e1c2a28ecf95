"""What every source of NATS-Bench results offers: a record for the name of an architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from automl_cli.tables.architectures import Space, check
from automl_spaces.errors import UserError

Curve = Mapping[int, float]
"""Validation accuracy in percent by epoch, of one training; epochs count from 1, ascending."""

SEARCH_SCHEDULE = 12
"""Epochs of the schedule that NATS-Bench's searches are rewarded by."""


class Record(NamedTuple):
    """What a source knows of one architecture on one data set.

    Args:
        runs: by the number of epochs that the learning rate was scheduled for, the curve of each
            training. Four epochs of a 12-epoch schedule are not four of a 200-epoch one.
        epoch_seconds: what one epoch of training took.
        validation_seconds: what one pass over the validation images took.
        facts: `flops` (millions), `params` (millions) and, where the source has them,
            `final_accuracy` and `final_test_accuracy`: percent at the end of the longest
            schedule, mean over its trainings.
    """

    runs: Mapping[int, Sequence[Curve]]
    epoch_seconds: float
    validation_seconds: float
    facts: Mapping[str, float]


class Table(dict[str, Record], ABC):
    """Records by name of the architecture; each is read from the source when it is first asked.

    Args:
        name: how messages call the source.
        space: the space that it is a table of.
        schedules: the lengths of schedule that it holds, in epochs.
    """

    def __init__(self, name: str, space: Space, schedules: Sequence[int]) -> None:
        super().__init__()
        self.name, self.space = name, space
        self.schedules = tuple(sorted(schedules))
        has_search = SEARCH_SCHEDULE in self.schedules
        self.search_schedule = SEARCH_SCHEDULE if has_search else self.schedules[-1]

    @abstractmethod
    def read(self, arch: str) -> Record | None:
        """The record of an architecture; None when the source has none of that name."""

    def __missing__(self, arch: str) -> Record:
        record = self.read(arch)
        if record is None:
            check(arch, self.space)
            raise UserError(f"{self.name} holds nothing about {arch}")
        self[arch] = record
        return record


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)
