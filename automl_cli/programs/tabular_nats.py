"""NATS-Bench (Dong et al. 2021, arXiv 2009.00437): a cell's training is looked up, not done."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from automl_cli.programs.cell_net import SIZE_CELL
from automl_cli.tables.architectures import size_name
from automl_cli.tables.sources import open_table
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl_cli.programs.cell_net import CellNet
    from automl_cli.programs.contracts import Device
    from automl_cli.tables.architectures import Space
    from automl_cli.tables.table import Curve, Table
    from automl_spaces.trial import Trial

SKELETON = (16, 5)
"""Channels of the first stage, and cells of each, in the topology space."""


@register
class TabularNATS:
    """Answers with the results that NATS-Bench recorded for a network.

    It takes the same model as a `Classifier` does: a recipe goes from looking up to training by
    another name for its program. Accuracies are in percent, as in the benchmark.

    Metrics: `accuracy` on the validation images; `simulated_seconds`, the training from its start
    and one validation pass; `flops` and `params` in millions; `final_accuracy` and
    `final_test_accuracy` after the longest training that the source knows, mean over its seeds,
    where it has them. The last two are only for reports: a search that uses them cheats.

    `trial.budget` is a number of epochs, rounded down: how far the training goes through its
    schedule. Where the source has a learning curve, each of its epochs is reported.

    Args:
        model: a cell, or with `widths` a network of the size space.
        data: the images; for cifar10 half of the training images validate.
        source: where the results are; see `open_table`.
        epochs: length of the schedule; None for what the benchmark's searches use, 12, or the
            longest where the source has no such trainings.
        seeds: answer with one recorded training, chosen by the trial's seed, or with the mean.
        accelerator: that the network is meant for. No result depends on it; costs do.
    """

    def __init__(
        self,
        model: CellNet,
        data: Literal["cifar10", "cifar100", "ImageNet16-120"] = "cifar10",
        source: str = "auto",
        epochs: int | None = None,
        seeds: Literal["random", "mean"] = "random",
        accelerator: Device | None = None,
    ) -> None:
        self.model, self.data, self.source = model, data, source
        self.epochs, self.seeds, self.accelerator = epochs, seeds, accelerator

    def __call__(self, trial: Trial) -> dict[str, float]:
        """The metrics.

        Raises:
            UserError: no source, a network outside of the space, or epochs that the source lacks.
            Pruned: when the trial is not to go on.
        """
        # A benchmark of algorithms makes this call millions of times: a few microseconds each.
        space, arch = _place(self.model)
        table = open_table(self.source, space, self.data)
        record = table[arch]
        schedule = table.search_schedule if self.epochs is None else self.epochs
        runs = record.runs.get(schedule)
        if not runs:
            raise _no_schedule(table, schedule)
        curve = self._choose(runs, trial.seed)
        budget = trial.budget
        last = schedule if budget is None else int(budget)
        if last not in curve:
            raise _no_epoch(table, curve, last)
        training, validation = record.epoch_seconds, record.validation_seconds
        if len(curve) > 1:
            for epoch in curve:
                if epoch > last:
                    break
                seconds = epoch * training + validation
                trial.report(epoch, accuracy=curve[epoch], simulated_seconds=seconds)
        return {
            "accuracy": curve[last],
            "simulated_seconds": last * training + validation,
            **record.facts,
        }

    def _choose(self, runs: Sequence[Curve], seed: int) -> Curve:
        if len(runs) == 1:
            return runs[0]
        if self.seeds == "random":
            return Random(seed).choice(runs)
        return {epoch: sum(run[epoch] for run in runs) / len(runs) for epoch in runs[0]}


def _place(model: CellNet) -> tuple[Space, str]:
    """The space that a network is in, and its name there.

    Raises:
        UserError: when it differs from the networks of its space in what they all share.
    """
    if model.widths is None:
        if (model.channels, model.cells) != SKELETON:
            shared = "channels: {}, cells: {}".format(*SKELETON)
            raise UserError(f"all cells of NATS-Bench were trained with {shared}", path="model")
        return "topology", model.arch
    if model.cell != SIZE_CELL:
        raise UserError(
            "the size space of NATS-Bench has one cell only",
            path="model.cell",
            hint="leave it out where there are widths",
        )
    return "size", size_name(model.widths)


def _no_schedule(table: Table, schedule: int) -> UserError:
    held = ", ".join(map(str, table.schedules))
    return UserError(
        f"{table.name} holds no {schedule}-epoch trainings, only those of {held} epochs",
        path="epochs",
        hint=f"epochs: {table.search_schedule}",
    )


def _no_epoch(table: Table, curve: Curve, last: int) -> UserError:
    held = ", ".join(map(str, curve))
    return UserError(f"{table.name} holds no accuracy after {last} epochs, only after {held}")
