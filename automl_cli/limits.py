"""When a search ends: its budget, and the failures that are too many."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_algorithms.contract import Plan
    from automl_cli.progress import Finished, Progress

SUPERNET_SHARE: Final = 0.5  # of the seconds, at most, for the training before the trials
HOPELESS: Final = 10  # failed trials without a single completed one, after which a search gives up
Reason = Literal["", "trials", "seconds", "epochs", "simulated_seconds", "exhausted", "failures"]


@dataclass(frozen=True)
class Limits:
    """When a search ends: trials in all, seconds of this run, attempts and failures allowed.

    `epochs` and `simulated_seconds` are the sums over all trials that `Progress` keeps. `seconds`
    count from `began`, in those of `time.monotonic`: that is before the training of a supernet.
    """

    trials: int | None = None
    seconds: float | None = None
    retries: int = 2
    max_failed: int | None = None
    epochs: float | None = None
    simulated_seconds: float | None = None
    began: float = field(default_factory=time.monotonic)

    def reached(self, progress: Progress, running: int, epochs: float) -> Reason:
        """Which limit forbids another trial; empty when none does.

        Args:
            running: trials that have not finished.
            epochs: what those will be charged at least.
        """
        if self.trials is not None and progress.finished + running >= self.trials:
            return "trials"
        if self.seconds is not None and time.monotonic() >= self.began + self.seconds:
            return "seconds"
        if self.epochs is not None and progress.epochs + epochs >= self.epochs:
            return "epochs"
        simulated = self.simulated_seconds
        if simulated is not None and progress.simulated_seconds >= simulated:
            return "simulated_seconds"
        return "failures" if self._hopeless(progress) else ""

    def _hopeless(self, progress: Progress) -> bool:
        failed = progress.counts["failed"]
        if self.max_failed is not None:
            return failed >= self.max_failed
        return failed >= HOPELESS and not progress.counts["completed"]

    def check_plan(self, plan: Plan, progress: Progress) -> None:
        """Raise `UserError` when not even the first trial fits in the budget of epochs."""
        if self.epochs is None or progress.finished:
            return
        if plan.budget is None:
            raise UserError(
                "a budget of epochs needs an algorithm that grants them (hyperband, asha, bohb, "
                "pbt): this one trains every program in full",
                path="budget.epochs",
                hint="budget: {trials: 25}",
            )
        if plan.budget > self.epochs:
            raise UserError(
                f"no trial fits in {self.epochs:g} epochs: the first one takes {plan.budget:g}",
                path="budget.epochs",
            )

    def check_result(self, trial: Finished, progress: Progress) -> None:
        """Raise `UserError` when the budget of simulated seconds cannot be kept."""
        if self.simulated_seconds is None or trial.state != "completed":
            return
        took, path = trial.metrics.get("simulated_seconds"), "budget.simulated_seconds"
        if took is None:
            raise UserError(
                "a budget of simulated_seconds needs a program that returns them",
                path=path,
                hint="budget: {trials: 100}, or {seconds: 600} of real time",
            )
        if progress.counts["completed"] == 1 and took > self.simulated_seconds:
            raise UserError(
                f"no trial fits in {self.simulated_seconds:g} simulated seconds: "
                f"the first one took {took:g}",
                path=path,
            )
