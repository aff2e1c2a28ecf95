"""The MLflow projection: what the ledger holds, shown in MLflow.

A study is a run, each of its trials a nested run. The ledger is the truth and MLflow a picture
of it that may be late, incomplete or lost: `project` compares the two and adds what is missing,
any number of times, whoever was killed in between. It remembers nothing between calls, because
MLflow itself knows how far a projection came: a trial's run has ended, and the latest `trials`
of a study's run counts the trials in its curve.

While a study runs this module is a process of its own (`mlflow_process.Projection` starts it),
so that no trial ever waits for MLflow.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from automl_cli import mlflow_records as records
from automl_cli import mlflow_summary as summary
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow, TrialRow
from automl_cli.mlflow_client import Client, KnownRun, Refused, Unreachable, resolve_uri
from automl_cli.mlflow_process import Projection, ProjectionReport, side_file

__all__ = ["Children", "Projection", "ProjectionReport", "project"]

Children = Literal["auto", "all", "best", "none"]
Listener = Callable[[ProjectionReport], None]

FEW: Final = 500  # trials up to which every one has a run of its own
SLOW: Final = 20.0  # trials a second up to which every one has
BEST: Final = 10
SAMPLE: Final = 40
POLL: Final = 0.25  # seconds
_LIVE_AFTER: Final = 2.0  # seconds after which a running trial is worth a run already
_DRAW_EVERY: Final = 60.0  # seconds between two drawings while the study runs
_CHUNK: Final = 100  # trials between two looks at the clock
_PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 60.0)  # seconds, while MLflow is unreachable


def project(
    ledger_path: Path,
    study_name: str,
    tracking_uri: str | None = None,
    experiment: str = "",
    *,
    follow: bool = False,
    children: Children = "auto",
    best_recipe: Callable[[int], str] | None = None,
    stop: threading.Event | None = None,
    listener: Listener | None = None,
) -> ProjectionReport:
    """Bring MLflow up to date with a study.

    Args:
        tracking_uri: see `mlflow_client.resolve_uri`.
        experiment: MLflow's experiment, one per family of studies; by default the study's name.
        follow: go on until the study is over, or `stop` is set.
        children: which trials get a run of their own. `auto`: all of them when they are few or
            slow; else the best 10 and an even sample of 40, beside the curve of all.
        best_recipe: the static recipe of a trial's program, by trial id.
        listener: hears how far it is, now and then.

    Returns:
        How far it came. Trouble with MLflow is never raised.

    Raises:
        UserError: there is no such ledger.
    """
    with Ledger(ledger_path, read_only=True) as ledger:
        study = ledger.study(study_name)
        if study is None:
            return ProjectionReport(False, 0, 0, f"{ledger_path} has no study {study_name}")
        lock = side_file(ledger_path, study.id, "lock")
        with _alone(lock, patience=60.0 if follow else 5.0) as holder:
            if holder:
                message = f"process {holder} projects {study_name} into MLflow already"
                return ProjectionReport(False, 0, 0, message)
            work = _Work(
                ledger, study, resolve_uri(tracking_uri), experiment or study_name, children,
                best_recipe, stop or threading.Event(), listener or (lambda _: None),
            )  # fmt: skip
            return work.follow() if follow else work.once()


class _Child(NamedTuple):
    """All of a trial's run, read from the ledger: sending needs nothing else."""

    trial: TrialRow
    run_id: str | None
    params: dict[str, str]
    samples: list[records.Sample]


class _Work:
    """One call of `project`."""

    def __init__(
        self,
        ledger: Ledger,
        study: StudyRow,
        uri: str,
        experiment: str,
        children: Children,
        best_recipe: Callable[[int], str] | None,
        stop: threading.Event,
        listener: Listener,
    ) -> None:
        self.ledger, self.study, self.uri, self.experiment = ledger, study, uri, experiment
        self.children, self.best_recipe, self.stop = children, best_recipe, stop
        self.listener = listener
        self.goals = records.objectives(study)
        self.names = records.Names(records.point_ids(study))
        self.metric_names = records.Names(goal.metric for goal in self.goals)
        self.trials: list[TrialRow] = []  # finished, in that order
        self.client: Client | None = None
        self.parent = ""
        self.shown = 0  # trials in the curve in MLflow
        self.curve = records.Curve(self.goals)
        self.runs: dict[int, KnownRun] = {}
        self.reported: dict[int, int] = {}  # reports sent of running trials
        self.message = ""
        self.troubled = False  # a reply was lost, so a run may be there twice
        self._drawn = time.monotonic()

    # Once, or until the study is over -----------------------------------------------------------

    def once(self) -> ProjectionReport:
        """Project what there is."""
        try:
            self._read()
            self._project(over=True)
        except Unreachable as trouble:
            self._note_trouble(trouble)
        return self.report()

    def follow(self) -> ProjectionReport:
        """Project until the study is over; while MLflow is unreachable, try again now and then."""
        failures, retry_at = 0, 0.0
        while True:
            over = self.stop.is_set() or self._read_state() != "running"
            try:
                self._read()
                if over or time.monotonic() >= retry_at:
                    self._project(over=over)
                    failures, self.message = 0, ""
            except Unreachable as trouble:
                self._note_trouble(trouble)
                retry_at = time.monotonic() + _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
            self.listener(self.report())
            if over:
                return self.report()
            self.stop.wait(POLL)

    def report(self) -> ProjectionReport:
        """How far it is."""
        missing = {t.id for t in self.trials[self.shown :]}
        missing |= {t.id for t in self._wanted(over=True) if not self._is_complete(t)}
        done = len(self.trials) - len(missing)
        return ProjectionReport(not missing and not self.message, done, len(missing), self.message)

    def _note_trouble(self, trouble: Unreachable) -> None:
        self.client, self.troubled = None, True
        self.message = f"MLflow unreachable: {trouble}; the search goes on; later: automl sync"
        print(self.message, file=sys.stderr)  # noqa: T201 - the log of this process

    # The ledger ---------------------------------------------------------------------------------

    def _read_state(self) -> str:
        """Looked at before the trials, so that none of a study that is over is missed."""
        self.study = self.ledger.study(self.study.name) or self.study
        return self.study.state

    def _read(self) -> None:
        last = self.trials[-1].order if self.trials else 0
        assert last is not None
        self.trials += self.ledger.changed_since(self.study.id, last)

    def _wanted(self, *, over: bool) -> Sequence[TrialRow]:
        """The finished trials that get a run of their own.

        While a fast search runs these are the best ones only: the rest shall not use the cores
        that the trials need, and which ones are a fair sample is known at the end.
        """
        if self.children == "none" or not self.trials:
            return ()
        if self.children == "all" or (self.children == "auto" and self._is_slow()):
            return self.trials
        if self.children == "auto" and over and len(self.trials) <= FEW:
            return self.trials
        chosen = records.best(self.trials, self.goals, BEST)
        if self.children == "auto" and over:
            count = len(self.trials)
            chosen += [self.trials[i * count // SAMPLE] for i in range(SAMPLE)]
        return list({t.id: t for t in chosen}.values())

    def _is_slow(self) -> bool:
        first, last = self.trials[0], self.trials[-1]
        assert last.finished is not None
        return len(self.trials) < SLOW * (last.finished - first.proposed)

    def _is_complete(self, trial: TrialRow) -> bool:
        known = self.runs.get(trial.id)
        return known is not None and known.complete

    # MLflow -------------------------------------------------------------------------------------

    def _project(self, *, over: bool) -> None:
        """Add to MLflow what it lacks."""
        client = self.client or self._connect()
        self._send_curve(client)
        missing = [t for t in self._wanted(over=over) if not self._is_complete(t)]
        for start in range(0, len(missing), _CHUNK):
            chunk = [self._child(t) for t in missing[start : start + _CHUNK]]
            client.each(lambda child: self._send(client, child), chunk)
            self.listener(self.report())
            if not over and self.stop.is_set():
                return
        self._send_running(client, over=over)
        if over or time.monotonic() > self._drawn + _DRAW_EVERY:
            self._draw(client)
        if over:
            self._end(client)

    def _connect(self) -> Client:
        client = Client(self.uri, self.experiment)
        found = client.find_study(self.study.uid)
        if found is None:
            tags = records.study_tags(self.study)
            found = client.create(self.study.name, self.study.created, tags), 0
        self.parent, self.shown = found
        self.curve = records.Curve(self.goals)
        for trial in self.trials[: self.shown]:
            self.curve.take(trial)
        self.runs = client.find_trials(self.study.uid)
        self.reported.clear()
        client.running(self.parent)
        with self._tolerant():
            client.log(self.parent, params=records.study_params(self.study))
        with self._tolerant():
            client.log(self.parent, tags=records.study_tags(self.study))
        with self._tolerant(artifact=True):
            client.text(self.parent, self.study.recipe, "recipe.yaml")
            client.text(self.parent, self.study.space, "space.json")
            client.text(self.parent, self.study.environment, "environment.json")
        self.client = client
        return client

    def _send_curve(self, client: Client) -> None:
        """The search as metrics of the study's run, in batches that hold whole trials."""
        batch: list[records.Sample] = []
        for place, trial in enumerate(self.trials[self.shown :], self.shown + 1):
            batch += self.curve.take(trial)
            if len(batch) >= 400 or place == len(self.trials):
                client.log(self.parent, batch)
                self.shown, batch = place, []

    def _child(self, trial: TrialRow) -> _Child:
        reported = records.report_samples(
            self.ledger.reports(self.study.id, trial.id), self.metric_names
        )
        samples = reported[self.reported.get(trial.id, 0) :]
        if trial.finished is None:
            self.reported[trial.id] = len(reported)
        else:
            samples = samples + records.final_samples(trial, reported, self.metric_names)
        known = self.runs.get(trial.id)
        params = records.trial_params(trial, self.names)
        return _Child(trial, known and known.run_id, params, samples)

    def _send(self, client: Client, child: _Child) -> None:
        trial, run_id = child.trial, child.run_id
        tags: dict[str, str] = records.state_tags(trial)
        if run_id is None:
            every = records.trial_tags(self.study, trial, self.parent)
            run_id, tags = client.create(f"trial {trial.id}", trial.proposed, every), {}
            self.runs[trial.id] = KnownRun(run_id, False)
        with self._tolerant():
            client.log(run_id, child.samples, child.params, tags)
        if trial.finished is not None:
            client.over(run_id, records.STATUS[trial.state], trial.finished)
        self.runs[trial.id] = KnownRun(run_id, trial.finished is not None)

    def _send_running(self, client: Client, *, over: bool) -> None:
        """Trials that take their time are visible while they run, with what they report."""
        if self.children not in ("all", "auto") or (self.trials and not self._is_slow()):
            return
        running = self.ledger.trials(self.study.id, state="running")
        for trial in running:
            known = self.runs.get(trial.id)
            if over and known is not None:
                client.over(known.run_id, "KILLED", time.time())
            elif not over and trial.proposed < time.time() - _LIVE_AFTER:
                child = self._child(trial)
                if known is None or child.samples:
                    self._send(client, child)

    def _draw(self, client: Client) -> None:
        """Note and figures of the study's run."""
        with self._tolerant():
            client.log(self.parent, tags={"mlflow.note.content": summary.note(self.study, self.trials)})
        with self._tolerant(artifact=True):
            for name, figure in summary.figures(self.study, self.trials).items():
                client.figure(self.parent, figure, f"plots/{name}")
        self._drawn = time.monotonic()

    def _end(self, client: Client) -> None:
        top = records.best(self.trials, self.goals, 1)
        with self._tolerant(artifact=True):
            client.text(self.parent, summary.trials_csv(self.trials), "trials.csv")
            if top and self.best_recipe is not None:
                client.text(self.parent, self.best_recipe(top[0].id), "best_recipe.yaml")
        if self.troubled:
            client.find_study(self.study.uid)
            client.find_trials(self.study.uid)
            self.troubled = False
        state = self.study.state
        if state == "running":
            if driver(self.ledger.path, self.study.id):
                return
            state = "interrupted"
        ended = max((t.finished or 0.0 for t in self.trials), default=self.study.created)
        client.over(self.parent, records.STATUS[state], ended)

    @contextlib.contextmanager
    def _tolerant(self, *, artifact: bool = False) -> Iterator[None]:
        """One thing that MLflow does not take must not cost the others."""
        try:
            yield
        except Refused as refusal:
            print(f"MLflow refused: {refusal}", file=sys.stderr)  # noqa: T201
        except Exception as error:
            if not artifact:
                raise
            # Artifacts go to another service than everything else, and are never essential.
            print(f"artifact skipped: {error!r}", file=sys.stderr)  # noqa: T201
