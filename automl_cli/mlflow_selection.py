"""Which trials get a run of their own, as the ledger grows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Literal

from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import ReportRow, StudyRow, SupernetRow, TrialRow
from automl_cli.mlflow_records import best, objectives

Children = Literal["auto", "all", "best", "none"]
"""`auto`: every trial when they are few or slow; else the best and an even sample."""

FEW: Final = 500  # trials
SLOW: Final = 20.0  # trials a second: MLflow takes 50 to 120 runs a second
BEST: Final = 10
SAMPLE: Final = 40
_LIVE_AFTER: Final = 2.0  # seconds after which a running trial is worth a run already


class Selection:
    """A study in the ledger, followed.

    Attributes:
        study: its row, as last read.
        finished: its finished trials, in that order.
        top: the best of them, best first; with several objectives the Pareto front.
        supernet: the records of its supernet's training, if it has one.
    """

    def __init__(self, ledger: Ledger, study: StudyRow, children: Children) -> None:
        self.study, self.children = study, children
        self.goals = objectives(study)
        self.finished: list[TrialRow] = []
        self.top: list[TrialRow] = []
        self.supernet: list[SupernetRow] = []
        self._ledger = ledger

    def read(self) -> None:
        """Catch up with the ledger.

        The state is read first, so that of a study that is over every trial is seen.
        """
        self.study = self._ledger.study(self.study.name) or self.study
        step = self.supernet[-1].step if self.supernet else 0
        self.supernet += self._ledger.supernets(self.study.id, step)
        last = self.finished[-1].order or 0 if self.finished else 0
        new = self._ledger.changed_since(self.study.id, last)
        if new:
            self.finished += new
            # A front is kept as a whole: which ten of it are the best may change.
            count = BEST if len(self.goals) == 1 else len(self.finished)
            self.top = best([*self.top, *new], self.goals, count)

    def wanted(self, *, over: bool) -> Sequence[TrialRow]:
        """The finished trials that get a run, at present or when all is `over`.

        While a fast search runs these are the best ones only: the others shall not use the cores
        that the trials need, and what a fair sample is is known at the end.
        """
        if self.children == "none" or not self.finished:
            return ()
        few = over and len(self.finished) <= FEW
        if self.children == "all" or (self.children == "auto" and (few or self.is_slow())):
            return self.finished
        chosen = self.top[:BEST]
        if self.children == "auto" and over:
            count = len(self.finished)
            chosen += [self.finished[i * count // SAMPLE] for i in range(SAMPLE)]
        return list({trial.id: trial for trial in chosen}.values())

    def is_slow(self) -> bool:
        """Whether MLflow can keep up with the search."""
        if not self.finished:
            return True
        first, last = self.finished[0], self.finished[-1]
        assert last.finished is not None
        return len(self.finished) < SLOW * (last.finished - first.proposed)

    def running(self) -> list[TrialRow]:
        """The trials that are not finished."""
        return self._ledger.trials(self.study.id, state="running")

    def is_live(self, trial: TrialRow) -> bool:
        """Whether a trial gets a run while it is running: when it takes its time."""
        if trial.proposed > time.time() - _LIVE_AFTER:
            return False
        return self.children == "all" or (self.children == "auto" and self.is_slow())

    def reports(self, trial: TrialRow) -> list[ReportRow]:
        """What a trial reported so far."""
        return self._ledger.reports(self.study.id, trial.id)

    def ended(self) -> float:
        """When anything happened last, in seconds since 1970."""
        if self.finished:
            return self.finished[-1].finished or 0.0
        return self.supernet[-1].time if self.supernet else self.study.created
