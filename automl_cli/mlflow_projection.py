"""The MLflow projection: what the ledger holds, shown in MLflow.

A study is a run, each of its trials a nested run. The ledger is the truth and MLflow a picture
of it that may be late, incomplete or lost: `project` compares the two and adds what is missing,
any number of times, whoever was killed in between. It remembers nothing between calls, because
MLflow itself knows how far a projection came: a trial's run has ended, and of a study's run the
latest `trials` counts the trials in its curve, `supernet/step` the steps of its supernet.

While a study runs, this is done by a process of its own (`mlflow_process.Projection` starts it),
so that no trial ever waits for MLflow.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from automl_cli import mlflow_records as records
from automl_cli import mlflow_summary as summary
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import TrialRow
from automl_cli.mlflow_client import Client, KnownRun, KnownStudy, Refused, Unreachable
from automl_cli.mlflow_curve import Curve
from automl_cli.mlflow_process import (
    UNREACHABLE,
    Projection,
    ProjectionReport,
    alone,
    is_driven,
)
from automl_cli.mlflow_selection import Children, Selection
from automl_cli.mlflow_uri import resolve_uri

_log = logging.getLogger(__name__)

__all__ = ["Children", "Projection", "ProjectionReport", "project"]

POLL: Final = 0.25  # seconds between two looks at the ledger
_LONGEST_WAIT: Final = 1.0
_LIVE_EVERY: Final = 1.0  # seconds between two looks at what runs
_DRAW_EVERY: Final = 60.0  # seconds between two drawings while the study runs
_CHUNK: Final = 100  # trials between two looks at `stop`
_BATCH: Final = 900  # metrics, some below MLflow's limit for one request
_SUPERNET_BATCH: Final = 800  # one of its records has up to a hundred
_PATIENCE: Final = 5.0  # seconds to wait for another projection of the study to end
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
    listener: Callable[[ProjectionReport], None] | None = None,
) -> ProjectionReport:
    """Bring MLflow up to date with a study.

    Args:
        tracking_uri: see `mlflow_uri.resolve_uri`.
        experiment: MLflow's experiment, one per family of studies; by default the study's name.
        follow: go on until the study is over, or `stop` is set.
        children: which trials get a run of their own; see `mlflow_selection`.
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
        with alone(ledger_path, study.id, 12 * _PATIENCE if follow else _PATIENCE) as holder:
            if holder:
                message = f"process {holder} projects {study_name} into MLflow already"
                return ProjectionReport(False, 0, 0, message)
            work = _Work(
                Selection(ledger, study, children),
                lambda: Client(resolve_uri(tracking_uri), experiment or study_name),
                best_recipe,
                lambda: is_driven(ledger_path, study.id),
            )
            return work.run(follow, stop or threading.Event(), listener or (lambda _: None))


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
        selection: Selection,
        connect: Callable[[], Client],
        best_recipe: Callable[[int], str] | None,
        is_driven: Callable[[], bool],
    ) -> None:
        self.selection, self._connect = selection, connect
        self.best_recipe, self.is_driven = best_recipe, is_driven
        self.names = records.Names(records.point_ids(selection.study))
        self.metric_names = records.Names(goal.metric for goal in selection.goals)
        self.supernet_names = records.Names(records.point_ids(selection.study))
        self.client: Client | None = None
        self.parent = ""  # the run of the study
        self.shown = self.steps = 0  # trials in its curve, steps of its supernet
        self.curve = Curve(selection.goals)
        self.runs: dict[int, KnownRun] = {}
        self.reported: dict[int, int] = {}  # reports sent, of running trials
        self.message = ""
        self.over = False
        self.troubled = False  # a reply was lost: a run may be there twice
        self._drawn = self._looked = time.monotonic()

    def run(
        self, follow: bool, stop: threading.Event, listener: Callable[[ProjectionReport], None]
    ) -> ProjectionReport:
        """Project once, or until the study is over; while MLflow is away, try now and then."""
        failures, retry_at = 0, 0.0
        while True:
            over, started = not follow or stop.is_set(), time.monotonic()
            self.selection.read()
            over = over or self.selection.study.state != "running"
            try:
                if over or time.monotonic() >= retry_at:
                    self._project(over, stop, listener)
                    failures, self.message = 0, ""
            except Unreachable as trouble:
                self.client, self.troubled = None, True
                retry_at = time.monotonic() + _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                goes_on = "the search goes on; " if follow else ""
                self.message = f"{UNREACHABLE}: {trouble}; {goes_on}later: automl sync"
            listener(self.report())
            if over:
                return self.report()
            # A fast search has something new at each look: leave the processor to its trials.
            stop.wait(min(max(POLL, 3 * (time.monotonic() - started)), _LONGEST_WAIT))

    def report(self) -> ProjectionReport:
        """How far it is."""
        finished = self.selection.finished
        missing = {t.id for t in finished[self.shown :]}
        missing |= {t.id for t in self.selection.wanted(over=True) if not self._is_complete(t)}
        done = len(finished) - len(missing)
        ok = not missing and not self.message
        return ProjectionReport(ok, done, len(missing), self.message, self.over)

    def _is_complete(self, trial: TrialRow) -> bool:
        known = self.runs.get(trial.id)
        return known is not None and known.complete

    def _project(
        self, over: bool, stop: threading.Event, listener: Callable[[ProjectionReport], None]
    ) -> None:
        """Add to MLflow what it lacks."""
        client = self.client or self._attach()
        self._send_supernet(client)
        self._send_curve(client)
        missing = [t for t in self.selection.wanted(over=over) if not self._is_complete(t)]
        for start in range(0, len(missing), _CHUNK):
            chunk = [self._child(trial) for trial in missing[start : start + _CHUNK]]
            client.each(lambda child: self._send(client, child), chunk)
            listener(self.report())
            if not over and stop.is_set():
                return
        now = time.monotonic()
        if over:
            self._end(client)
            self.over = True
            listener(self.report())
        elif now > self._looked + _LIVE_EVERY:
            self._looked = now
            self._send_running(client)
        if over or now > self._drawn + _DRAW_EVERY:
            self._drawn = now
            self._draw(client)

    def _attach(self) -> Client:
        """Connect, and find out what is there already."""
        client, study = self._connect(), self.selection.study
        tags = records.study_tags(study)
        found = client.find_study(study.uid)
        known = found or KnownStudy(client.create(study.name, study.created, tags))
        self.parent, self.shown, self.steps = known
        self.curve = Curve(self.selection.goals)
        for trial in self.selection.finished[: self.shown]:
            self.curve.take(trial)
        self.runs = client.find_trials(study.uid)
        self.reported.clear()
        if found:
            client.running(self.parent)
            client.log(self.parent, tags=tags)
        with _tolerance():
            client.log(self.parent, params=records.study_params(study))
        with _tolerance(artifact=True):
            client.text(self.parent, study.recipe, "recipe.yaml")
            client.text(self.parent, study.space, "space.json")
            client.text(self.parent, study.environment, "environment.json")
        self.client = client
        return client

    def _send_supernet(self, client: Client) -> None:
        """The training of the supernet, in batches that hold whole records."""
        rows = [row for row in self.selection.supernet if row.step > self.steps]
        ids = records.point_ids(self.selection.study)
        batch: list[records.Sample] = []
        for row in rows:
            batch += records.supernet_samples(row, ids, self.supernet_names)
            if len(batch) >= _SUPERNET_BATCH or row is rows[-1]:
                client.log(self.parent, batch)
                self.steps, batch = row.step, []

    def _send_curve(self, client: Client) -> None:
        """The search as metrics of the study's run, in batches that hold whole trials."""
        finished = self.selection.finished
        batch: list[records.Sample] = []
        for place, trial in enumerate(finished[self.shown :], self.shown + 1):
            batch += self.curve.take(trial)
            if len(batch) >= _BATCH or place == len(finished):
                client.log(self.parent, batch)
                self.shown, batch = place, []

    def _child(self, trial: TrialRow) -> _Child:
        reported = records.report_samples(self.selection.reports(trial), self.metric_names)
        samples = reported[self.reported.get(trial.id, 0) :]
        if trial.finished is None:
            self.reported[trial.id] = len(reported)
        else:
            samples = samples + records.final_samples(trial, reported, self.metric_names)
        known = self.runs.get(trial.id)
        params = records.trial_params(trial, self.names)
        return _Child(trial, known.run_id if known else None, params, samples)

    def _send(self, client: Client, child: _Child) -> None:
        """Write a trial's run; that it ended comes last and says that everything is there."""
        trial, run_id = child.trial, child.run_id
        tags = records.state_tags(trial)
        if run_id is None:
            every = records.trial_tags(self.selection.study, trial, self.parent)
            run_id, tags = client.create(f"trial {trial.id}", trial.proposed, every), {}
            self.runs[trial.id] = KnownRun(run_id, complete=False)
        with _tolerance():
            client.log(run_id, child.samples, child.params, tags)
        if trial.finished is not None:
            client.over(run_id, records.STATUS[trial.state], trial.finished)
            self.runs[trial.id] = KnownRun(run_id, complete=True)

    def _send_running(self, client: Client) -> None:
        """Trials that take their time are visible while they run, with what they report."""
        for trial in filter(self.selection.is_live, self.selection.running()):
            known = self.runs.get(trial.id)
            first = trial.id not in self.reported
            if known is not None and first:
                client.running(known.run_id)  # it was interrupted, and goes on
            child = self._child(trial)
            if first or child.samples:
                self._send(client, child)

    def _draw(self, client: Client) -> None:
        """Note and figures of the study's run, and at the end a table of all trials."""
        study, finished = self.selection.study, self.selection.finished
        with _tolerance():
            client.log(self.parent, tags={"mlflow.note.content": summary.note(study, finished)})
        with _tolerance(artifact=True):
            for name, figure in summary.figures(study, finished).items():
                client.figure(self.parent, figure, f"plots/{name}")
        with _tolerance(artifact=True):
            if self.selection.supernet:
                figure = summary.policy_figure(study, self.selection.supernet)
                client.figure(self.parent, figure, "plots/policy.png")

    def _end(self, client: Client) -> None:
        study, top = self.selection.study, self.selection.top
        with _tolerance(artifact=True):
            client.text(self.parent, summary.trials_csv(self.selection.finished), "trials.csv")
            if self.selection.supernet:
                text = summary.supernet_csv(study, self.selection.supernet)
                client.text(self.parent, text, "supernet.csv")
            if top and self.best_recipe is not None:
                client.text(self.parent, self.best_recipe(top[0].id), "best_recipe.yaml")
        if self.troubled:
            client.find_study(study.uid, keep=self.parent)
            client.find_trials(study.uid)
            self.troubled = False
        if study.state == "running" and self.is_driven():
            return
        state = "interrupted" if study.state == "running" else study.state
        for trial in self.selection.running():
            known = self.runs.get(trial.id)
            if known is not None:
                client.over(known.run_id, "KILLED", max(trial.proposed, self.selection.ended()))
        client.log(self.parent, tags={"state": state})
        client.over(self.parent, records.STATUS[state], self.selection.ended())


@contextlib.contextmanager
def _tolerance(*, artifact: bool = False) -> Iterator[None]:
    """One thing that MLflow does not take must not cost the others.

    Artifacts go elsewhere than everything else and are never essential: any trouble with them,
    or with making them, is passed over.
    """
    try:
        yield
    except Refused as refusal:
        _log.warning("MLflow refused: %s", refusal)
    except Exception as error:
        if not artifact:
            raise
        _log.warning("an artifact was skipped: %r", error)
