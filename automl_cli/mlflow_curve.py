"""A search as curves: metrics of the study's run, a function of the ledger alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_algorithms.pareto import MOST_GROWING, GrowingFront
from automl_cli.ledger_schema import TrialRow
from automl_cli.mlflow_records import TRIALS, Names, Sample, fidelity, milliseconds, numbers, values
from automl_cli.progress import MET
from automl_spaces.objective import Objective


class Curve:
    """The search as metrics of the study's run; the step is the place in the finishing order.

    `trial/<metric>` is the value of each trial, `best/<metric>` the best so far of the completed
    ones within the constraints, and `trials` counts. `trials` is the last sample of each trial,
    and a batch is stored as a whole or not at all: so its latest value says how far a projection
    has come. Of several fidelities, the best is always the best at the highest reached so far.

    With two or three objectives `best/hypervolume` is that of the front so far, measured from the
    worst values so far: in the end what `automl report` says of the study alone.
    """

    def __init__(self, goals: Sequence[Objective]) -> None:
        self._goals, self._names = goals, Names(goal.metric for goal in goals)
        self._best: dict[str, tuple[float, float]] = {}  # fidelity, reward
        self._front = GrowingFront() if 2 <= len(goals) <= MOST_GROWING else None

    def take(self, trial: TrialRow) -> list[Sample]:
        """The samples of the next trial in the finishing order."""
        assert trial.order is not None
        assert trial.finished is not None
        when, step = milliseconds(trial.finished), trial.order
        metrics = numbers(trial.metrics) if trial.state != "failed" else {}
        samples = []
        for goal in self._goals:
            value, name = metrics.get(goal.metric, math.nan), self._names[goal.metric]
            if not math.isfinite(value):
                continue
            samples.append(Sample(f"trial/{name}", value, when, step))
            if trial.state == "completed" and metrics.get(MET, 1.0) > 0:
                told = (fidelity(trial), goal.reward(value))
                self._best[name] = max(told, self._best.get(name, told))
                best_value = goal.value(self._best[name][1])
                samples.append(Sample(f"best/{name}", best_value, when, step))
        if self._front is not None and trial.state == "completed":
            found = values(trial, self._goals)
            if found is not None:
                self._front.take([g.reward(v) for g, v in zip(self._goals, found, strict=True)])
                volume = Sample(
                    f"best/{self._names['hypervolume']}", self._front.volume, when, step
                )
                samples.append(volume)
        samples.append(Sample(TRIALS, float(step), when, step))
        return samples
