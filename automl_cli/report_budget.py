"""The value of searches at exactly one budget, by the protocol of NATS-Bench.

Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology
and Size" (TPAMI 2021); the arithmetic is that of `query_performance` in their code for figures
and tables (AutoDL-Projects, exps/NATS-algos).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from automl_cli.report_curves import Floats, incumbents, taken
from automl_cli.study_report import Group, StudyData


class Budget(NamedTuple):
    """So much of a metric that is added up over the trials of a search."""

    metric: str
    amount: float

    def __str__(self) -> str:
        return f"{self.metric} {self.amount:,.10g}"


class AtBudget(NamedTuple):
    """The metrics of a group at a budget.

    Attributes:
        values: per metric, float64 [seeds]; NaN for a seed without a value.
        short: seeds whose search ended before the budget.
    """

    budget: Budget
    values: dict[str, Floats]
    short: int

    def moments(self, name: str) -> tuple[float, float]:
        """Mean and population standard deviation over seeds, as NATS-Bench gives them."""
        known = self.values[name][np.isfinite(self.values[name])]
        return (float(known.mean()), float(known.std())) if len(known) else (np.nan, np.nan)


def at_budget(group: Group, budget: Budget, names: Sequence[str]) -> AtBudget:
    """The metrics `names` of a group's incumbents, at the budget."""
    values = {name: np.array([_value(s, budget, name) for s in group.studies]) for name in names}
    ends = [float(s.cumulated(budget.metric)[-1]) for s in group.studies if len(s.ids)]
    return AtBudget(budget, values, sum(end < budget.amount for end in ends))


def interpolate(times: Floats, values: Floats, at: float) -> float:
    """The line through the two visited points that are closest to `at` in time.

    Both may lie on the same side, and then the line goes on beyond them.

    Args:
        times, values: float64 [n], in the order of visiting; a point without a value is NaN and
            counts as not visited, and of points at the same time the last one counts.
    """
    known = np.isfinite(values)
    times, values = times[known], values[known]
    last = np.append(np.diff(times) > 0, True)[: len(times)]
    times, values = times[last], values[last]
    if len(times) < 2:
        return float(values[0]) if len(times) else np.nan
    a, b = np.argsort(np.abs(times - at), kind="stable")[:2]
    weight = (at - times[a]) / (times[b] - times[a])
    return float(values[a] + weight * (values[b] - values[a]))


def _value(study: StudyData, budget: Budget, name: str) -> float:
    """The incumbent is the best value so far, of whatever fidelity, and is looked up by `name`.

    A search that the budget ended and that recommended a trial then comes to that trial.
    """
    spent, recommended = study.cumulated(budget.metric), study.recommended_position
    if recommended is not None and not (spent[:-1] >= budget.amount).any():
        return float(study.metric(name)[recommended])
    found = incumbents(study.rewards, np.zeros(len(study.ids)))
    return interpolate(spent, taken(study.metric(name), found), budget.amount)
