"""Studies side by side: what the ledger tells of them, grouped over seeds, as data."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.study_results import experiment_of, objectives_of
from automl_spaces.objective import Objective


class StudyData(NamedTuple):
    """One study.

    Attributes:
        decisions, values: of each finished trial in finishing order; a value is the first
            objective's, None for a trial without one.
        best: the metrics of the best trial.
        seconds: spent in its trials, all of them added up.
    """

    row: StudyRow
    objectives: list[Objective]
    decisions: list[dict[str, Any]]
    values: list[float | None]
    metrics: list[dict[str, float]]
    counts: dict[str, int]
    best: dict[str, float]
    best_trial: int | None
    seconds: float

    @property
    def group(self) -> str:
        """Studies of one group differ in their seed only."""
        options = json.loads(self.row.options)
        inside = ", ".join(f"{k}={v}" for k, v in options.items())
        return f"{experiment_of(self.row)} {self.row.algorithm}" + f"({inside})" * bool(inside)


class Group(NamedTuple):
    """Studies that differ in their seed only. Metrics are those of each study's best trial, as
    (mean, standard deviation over seeds)."""

    name: str
    studies: list[StudyData]
    metrics: dict[str, tuple[float, float]]

    @property
    def trials(self) -> float:
        """Finished trials per study, on average."""
        return statistics.fmean(len(s.values) for s in self.studies)

    @property
    def seconds(self) -> float:
        """Seconds spent in the trials of a study, on average."""
        return statistics.fmean(s.seconds for s in self.studies)


def read(ledger: Ledger, row: StudyRow) -> StudyData:
    """What the ledger holds of a study."""
    objectives = objectives_of(row)
    first = objectives[0]
    trials = [t for t in ledger.trials(row.id) if t.finished is not None]
    metrics = [json.loads(t.metrics) for t in trials]
    values = [
        m.get(first.metric) if t.state == "completed" else None
        for t, m in zip(trials, metrics, strict=True)
    ]
    ranked = [i for i, v in enumerate(values) if v is not None]
    best = max(ranked, key=lambda i: first.reward(values[i] or 0.0), default=None)
    states = [t.state for t in trials]
    return StudyData(
        row,
        objectives,
        [json.loads(t.decisions) for t in trials],
        values,
        metrics,
        {s: states.count(s) for s in dict.fromkeys(states)},
        {} if best is None else metrics[best],
        None if best is None else trials[best].id,
        sum(m.get("seconds", 0.0) for m in metrics),
    )


def grouped(studies: Sequence[StudyData]) -> list[Group]:
    """Groups in the order of their first studies."""
    members: dict[str, list[StudyData]] = {}
    for study in studies:
        members.setdefault(study.group, []).append(study)
    return [Group(name, found, _moments(found)) for name, found in members.items()]


def _moments(studies: Sequence[StudyData]) -> dict[str, tuple[float, float]]:
    names = dict.fromkeys(m for s in studies for m in s.best)
    moments = {}
    for name in names:
        values = [s.best[name] for s in studies if math.isfinite(s.best.get(name, math.nan))]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            moments[name] = (statistics.fmean(values), spread)
    return moments


def as_data(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The groups as JSON data."""
    return [
        {
            "group": g.name,
            "studies": [
                {
                    "name": s.row.name,
                    "seed": s.row.seed,
                    "state": s.row.state,
                    "counts": s.counts,
                    "best_trial": s.best_trial,
                    "best": s.best,
                    "seconds": s.seconds,
                }
                for s in g.studies
            ],
            "trials": g.trials,
            "seconds": g.seconds,
            "metrics": {k: {"mean": m, "std": s} for k, (m, s) in g.metrics.items()},
        }
        for g in groups
    ]
