"""What a running search looks like from outside: counts, the best so far, what runs now."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from automl_algorithms.constraints import Constraint, feasible
from automl_spaces.objective import Objective

if TYPE_CHECKING:
    from automl_cli.ledger_schema import TrialRow


MET: Final = "constraints_met"  # 1 or 0, a metric of trials whose reward constraints shape


class Finished(NamedTuple):
    """A finished trial as everybody but the algorithm sees it."""

    id: int
    state: str
    decisions: str
    metrics: dict[str, float]
    reason: str
    budget: float | None = None
    parent: int | None = None

    @classmethod
    def of(cls, row: TrialRow) -> Finished:
        """What the ledger holds of a trial that is over."""
        metrics = json.loads(row.metrics)
        return cls(row.id, row.state, row.decisions, metrics, row.reason, row.budget, row.parent)

    @property
    def fidelity(self) -> float:
        """The budget as a number to compare by; full is more than any."""
        return math.inf if self.budget is None else self.budget

    @property
    def feasible(self) -> bool:
        """Whether it is within the constraints."""
        return self.metrics.get(MET, 1.0) > 0


def judged(constraints: Mapping[str, Constraint], metrics: dict[str, float]) -> dict[str, float]:
    """The metrics of a trial with the verdict, where constraints let trials outside of them run."""
    if MET not in metrics and not any(c.reward for c in constraints.values()):
        return metrics
    return {**metrics, MET: float(feasible(constraints, metrics))}


class Progress:
    """The counters of a search. The runner writes them, the display only reads.

    Attributes:
        constraints: what a trial must meet to be the best, while there is one that does.
        best: the best completed trial by the first objective.
        outside: completed trials that do not meet the constraints.
        running: when each trial in flight was dispatched, in seconds of `time.monotonic`.
        resumed: of the finished trials, those that earlier runs had finished.
        epochs, simulated_seconds: charged to the search so far.
        scratch: whether a trial that went on from another one is charged as if it had not.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        trials: int | None,
        *,
        scratch: bool = False,
        constraints: Mapping[str, Constraint] | None = None,
    ) -> None:
        self.objectives, self.trials = objectives, trials
        self.constraints = constraints or {}
        self.counts = {"completed": 0, "pruned": 0, "failed": 0}
        self.best: Finished | None = None
        self.outside: set[int] = set()
        self.running: dict[int, float] = {}
        self.rejected = self.retried = self.resumed = 0
        self.started = time.monotonic()
        self.ended: float | None = None
        self.epochs = self.simulated_seconds = 0.0
        self.scratch = scratch
        self._reached: dict[int, tuple[float, float]] = {}  # what others may go on from
        self._recent: deque[float] = deque(maxlen=200)

    @property
    def finished(self) -> int:
        """Trials that are over, in whatever way."""
        return sum(self.counts.values())

    def take(self, trial: Finished, *, live: bool = True) -> bool:
        """Count a finished trial; True when it is the best so far."""
        self.counts[trial.state] += 1
        self.running.pop(trial.id, None)
        self._charge(trial)
        if live:
            self._recent.append(time.monotonic())
        else:
            self.resumed += 1
        first = self.objectives[0]
        if trial.state != "completed" or first.metric not in trial.metrics:
            return False
        if not trial.feasible:
            self.outside.add(trial.id)
        if self.best is not None and self._rank(trial) <= self._rank(self.best):
            return False
        self.best = trial
        return True

    def _rank(self, trial: Finished) -> tuple[bool, float, float]:
        """What makes a trial the best: the constraints, then its fidelity, then its value."""
        first = self.objectives[0]
        return trial.feasible, trial.fidelity, first.reward(trial.metrics[first.metric])

    def may_answer(self, trial_id: int) -> bool:
        """Whether a search may end with this trial: not outside while there is one inside."""
        return trial_id not in self.outside or not (self.best is not None and self.best.feasible)

    def _charge(self, trial: Finished) -> None:
        """Add what a trial cost; what its parent had paid is paid already."""
        seconds = trial.metrics.get("simulated_seconds", 0.0)
        self.epochs += self.cost(trial.budget, trial.parent)
        self.simulated_seconds += max(seconds - self._paid(trial.parent)[1], 0.0)
        if trial.budget is not None:
            self._reached[trial.id] = trial.budget, seconds

    def cost(self, budget: float | None, parent: int | None) -> float:
        """Epochs that a trial is charged."""
        return max((budget or 0.0) - self._paid(parent)[0], 0.0)

    def _paid(self, parent: int | None) -> tuple[float, float]:
        nothing = (0.0, 0.0)
        return nothing if parent is None or self.scratch else self._reached.get(parent, nothing)

    def seconds_left(self) -> float | None:
        """An estimate from the rate of the last trials; None while nothing is known."""
        if self.trials is None or not self._recent:
            return None
        now = time.monotonic()
        since = self.started if len(self._recent) < 200 else self._recent[0]
        rate = len(self._recent) / max(now - since, 1e-9)
        return max(self.trials - self.finished, 0) / rate

    def elapsed(self) -> float:
        """Seconds of this run's search."""
        return (self.ended or time.monotonic()) - self.started
