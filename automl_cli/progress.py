"""What a running search looks like from outside: counts, the best so far, what runs now."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from automl_spaces.objective import Objective

if TYPE_CHECKING:
    from automl_cli.ledger_schema import TrialRow


class Finished(NamedTuple):
    """A finished trial as everybody but the algorithm sees it."""

    id: int
    state: str
    decisions: str
    metrics: dict[str, float]
    reason: str

    @classmethod
    def of(cls, row: TrialRow) -> Finished:
        """What the ledger holds of a trial that is over."""
        return cls(row.id, row.state, row.decisions, json.loads(row.metrics), row.reason)


class Progress:
    """The counters of a search. The runner writes them, the display only reads.

    Attributes:
        best: the best completed trial by the first objective.
        running: when each trial in flight was dispatched, in seconds of `time.monotonic`.
        resumed: of the finished trials, those that earlier runs had finished.
    """

    def __init__(self, objectives: Sequence[Objective], trials: int | None) -> None:
        self.objectives, self.trials = objectives, trials
        self.counts = {"completed": 0, "pruned": 0, "failed": 0}
        self.best: Finished | None = None
        self.running: dict[int, float] = {}
        self.rejected = self.retried = self.resumed = 0
        self.started = time.monotonic()
        self.ended: float | None = None
        self._recent: deque[float] = deque(maxlen=200)

    @property
    def finished(self) -> int:
        """Trials that are over, in whatever way."""
        return sum(self.counts.values())

    def take(self, trial: Finished, *, live: bool = True) -> bool:
        """Count a finished trial; True when it is the best so far."""
        self.counts[trial.state] += 1
        self.running.pop(trial.id, None)
        if live:
            self._recent.append(time.monotonic())
        else:
            self.resumed += 1
        first = self.objectives[0]
        if trial.state != "completed" or first.metric not in trial.metrics:
            return False
        if self.best is not None and not first.better(
            trial.metrics[first.metric], self.best.metrics[first.metric]
        ):
            return False
        self.best = trial
        return True

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
