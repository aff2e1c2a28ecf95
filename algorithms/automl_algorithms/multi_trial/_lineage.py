"""Where a trial's training came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl_algorithms.contract import Plan


def lineage(plans: Mapping[int, Plan], trial_id: int) -> list[int]:
    """The trials whose checkpoints led to this one, the first of them first, itself last.

    With the plans' decisions and budgets this is the schedule of hyper-parameters under which
    the trial was trained: trial i of it from the budget of trial i - 1 to its own.
    """
    line = [trial_id]
    while (parent := plans[line[-1]].parent) is not None:
        line.append(parent)
    return line[::-1]
