"""Time to target: how many seeds reach a value, and after how much."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from automl_cli.report_curves import Floats
from automl_cli.study_report import Group, StudyData

COSTS: Final = ("trials", "seconds", "simulated_seconds")


class Reached(NamedTuple):
    """What the seeds of a group needed for a target.

    Attributes:
        share: of the seeds that reached the target.
        until: per cost, what each seed had spent when it did: float64 [seeds], infinite where it
            never did. `trials` is always there, the others where trials tell them.
    """

    share: float
    until: dict[str, Floats]

    def median(self, cost: str) -> float | None:
        """The median over the seeds that reached the target; None when none did."""
        found = self.until[cost][np.isfinite(self.until[cost])]
        return float(np.median(found)) if len(found) else None


def reached(group: Group, target: float) -> Reached:
    """When the best so far of each seed first was at least as good as the target."""
    places = [_place(study, target) for study in group.studies]
    costs = [c for c in COSTS if c == "trials" or group.reports(c)]
    return Reached(
        float(np.mean([place is not None for place in places])),
        {
            cost: np.array([
                np.inf if place is None else study.cumulated(cost)[place]
                for study, place in zip(group.studies, places, strict=True)
            ])
            for cost in costs
        },
    )  # fmt: skip


def _place(study: StudyData, target: float) -> int | None:
    maximize = study.objectives[0].direction == "maximize"
    there = study.curve >= target if maximize else study.curve <= target
    return int(np.argmax(there)) if there.any() else None
