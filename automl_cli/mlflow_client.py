"""The MLflow calls that the projection makes, with MLflow's traps closed.

- A dead server costs seconds and not minutes: no retries, a timeout of 5 s for each request.
- `create_run` is not idempotent and its reply may be lost, so every run carries a uid as a tag;
  on each new connection runs are looked up by uid, and a run that is there twice is deleted once.
- A fresh SQLite database is made under a lock: two processes that migrate it at once crash.

MLflow is imported here when a connection is opened, and nowhere else but in `mlflow_*` modules.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from automl_cli.mlflow_import import hidden, lasting
from automl_cli.mlflow_records import STEP, TRIALS, Sample, milliseconds
from automl_cli.mlflow_uri import database, shown

if TYPE_CHECKING:
    from mlflow.entities import Run

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

UID: Final = "automl.uid"
FINAL_STATES: Final = ("completed", "pruned", "failed")
_PAGE: Final = 1000
_CONNECTIONS: Final = 4  # requests in flight to a server; SQLite has one writer anyway
_REFUSALS: Final = ("INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST")
_NEEDLESS: Final = ("numpy", "pandas", "pyarrow")  # MLflow works without: mlflow-skinny has none
_QUIET: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Unreachable(Exception):  # noqa: N818 - a state of the world that passes, not an error
    """MLflow cannot be used at present; the message is one line."""


class Refused(Exception):  # noqa: N818 - as above
    """MLflow works and does not take this one request."""


class KnownStudy(NamedTuple):
    """The run of a study: the trials in its curve, the steps of its supernet that it shows."""

    run_id: str
    trials: int = 0
    steps: int = 0


class KnownRun(NamedTuple):
    """A run that is in MLflow. `complete`: all of a finished trial has arrived."""

    run_id: str
    complete: bool


def prepare_environment() -> None:
    """Make MLflow quick to give up and silent; what the user has set stays as it is."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Client:
    """One experiment of one MLflow store.

    Args:
        uri: as `mlflow_uri.resolve_uri` returns it.
        experiment: its name; made when it is new.

    Raises:
        Unreachable: here and in every method. Only `log` raises `Refused`.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri, self.experiment = uri, experiment
        prepare_environment()
        self._mlflow = self._call(self._open)
        self.experiment_id: str = self._call(self._find_experiment)

    # Looking ------------------------------------------------------------------------------------

    def find_study(self, uid: str, keep: str = "") -> KnownStudy | None:
        """The run of a study; None when it has no run.

        Of several runs the one that is furthest is kept, or that of the id `keep`.
        """
        found = [
            KnownStudy(
                r.info.run_id, *(int(r.data.metrics.get(name, 0)) for name in (TRIALS, STEP))
            )
            for r in self._search(f"tags.`{UID}` = '{uid}'")
        ]
        if not found:
            return None
        kept = max(found, key=lambda known: (known.run_id == keep, *known[1:], known.run_id))
        self._delete(known.run_id for known in found if known != kept)
        return kept

    def find_trials(self, uid: str) -> dict[int, KnownRun]:
        """The runs of a study's trials by trial id."""
        found: dict[int, KnownRun] = {}
        doubles = []
        for run in self._search(f"tags.`{UID}` LIKE '{uid}/%'"):
            trial_id = int(run.data.tags[UID].rpartition("/")[2])
            # The status is written last, so it vouches for everything else.
            over = run.info.status != "RUNNING" and run.data.tags.get("state") in FINAL_STATES
            known = KnownRun(run.info.run_id, over)
            kept = max(known, found.get(trial_id, known), key=lambda k: (k.complete, k.run_id))
            doubles += [k.run_id for k in (known, found.get(trial_id, known)) if k != kept]
            found[trial_id] = kept
        self._delete(doubles)
        return found

    def _search(self, query: str) -> list[Run]:
        runs: list[Run] = []
        token = None
        while True:
            page = self._call(
                self._mlflow.search_runs,
                [self.experiment_id], query, max_results=_PAGE, page_token=token,
            )  # fmt: skip
            runs += page
            token = page.token
            if not token:
                return runs

    # Writing ------------------------------------------------------------------------------------

    def create(self, name: str, started: float, tags: Mapping[str, str]) -> str:
        """A new run; returns its id. `started` is in seconds since 1970."""
        run = self._call(
            self._mlflow.create_run,
            self.experiment_id, start_time=milliseconds(started), tags=dict(tags), run_name=name,
        )  # fmt: skip
        run_id: str = run.info.run_id
        return run_id

    def log(
        self,
        run_id: str,
        samples: Sequence[Sample] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write to a run. Saying the same twice changes nothing.

        Raises:
            Refused: MLflow does not take it, for instance a parameter that has another value.
        """
        from mlflow.entities import Metric, Param, RunTag

        self._call(
            self._mlflow.log_batch,  # cuts what is too much for one request
            run_id,
            [Metric(*sample) for sample in samples],
            [Param(key, value) for key, value in (params or {}).items()],
            [RunTag(key, value) for key, value in (tags or {}).items()],
        )

    def text(self, run_id: str, text: str, path: str) -> None:
        """Write an artifact."""
        self._call(self._mlflow.log_text, run_id, text, path)

    def figure(self, run_id: str, figure: Any, path: str) -> None:
        """Write a figure as an artifact."""
        self._call(self._mlflow.log_figure, run_id, figure, path)

    def running(self, run_id: str) -> None:
        """Mark a run as running (again)."""
        self._call(self._mlflow.update_run, run_id, status="RUNNING")

    def over(self, run_id: str, status: str, ended: float) -> None:
        """Mark a run as `FINISHED`, `FAILED` or `KILLED`; `ended` is in seconds since 1970."""
        self._call(self._mlflow.set_terminated, run_id, status, milliseconds(ended))

    def each(self, function: Callable[[T], object], items: Sequence[T]) -> None:
        """Call a function for every item, several at a time where that helps: on a server."""
        if database(self.uri) is not None:
            for item in items:
                function(item)
            return
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in futures:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    # Inside -------------------------------------------------------------------------------------

    def _open(self) -> Any:
        with contextlib.nullcontext() if "mlflow" in sys.modules else lasting():
            return self._connect()

    def _connect(self) -> Any:
        try:
            with hidden(*_NEEDLESS):
                from mlflow import MlflowClient
        except ImportError:  # another version may want them after all
            from mlflow import MlflowClient

        path = database(self.uri)
        if path is None:
            return MlflowClient(self.uri)
        with _creation(path):
            if not path.exists():
                # Kept in the file: a commit costs one write and no wait for the readers.
                with contextlib.closing(sqlite3.connect(path)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
            client = MlflowClient(self.uri)
            client.search_experiments(max_results=1)
            return client

    def _find_experiment(self) -> str:
        found = self._mlflow.get_experiment_by_name(self.experiment)
        if found is not None:
            if found.lifecycle_stage != "active":
                raise Unreachable(f"the experiment {self.experiment} is in MLflow's trash")
            return str(found.experiment_id)
        path = database(self.uri)
        folder = None if path is None else (path.parent / "mlartifacts").as_uri()
        # Without the tag the UI asks first what kind of experiment this is.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        try:
            return str(self._mlflow.create_experiment(self.experiment, folder, tags))
        except Exception:
            found = self._mlflow.get_experiment_by_name(self.experiment)
            if found is None:
                raise
            return str(found.experiment_id)  # another process was quicker

    def _delete(self, run_ids: Iterator[str] | list[str]) -> None:
        for run_id in run_ids:
            self._call(self._mlflow.delete_run, run_id)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (Unreachable, Refused):
            raise
        except Exception as error:
            code = getattr(error, "error_code", "")
            reason = f"{shown(self.uri)}: {_reason(error, self.uri)}"
            raise (Refused if code in _REFUSALS else Unreachable)(reason) from error


@contextlib.contextmanager
def _creation(path: Path) -> Iterator[None]:
    """One process at a time opens the databases of a folder; the folder itself is the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot lock a folder
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _reason(error: Exception, uri: str) -> str:
    """One line that says what went wrong, without credentials."""
    text = str(error)
    for pattern, words in (
        (r"Connection refused", "connection refused"),
        (r"Read timed out|timed out", f"no answer within {_timeout()} s"),
        (r"Name or service not known|name resolution|getaddrinfo", "no such host"),
        (r"\b401\b|Unauthorized", "not authorised"),
        (r"\b403\b|Permission denied", "permission denied"),
        (r"database is locked", "the database is locked"),
    ):
        if re.search(pattern, text):
            return words
    lines = [line for line in text.replace(uri, shown(uri)).splitlines() if line.strip()]
    _log.info("%s", text.replace(uri, shown(uri)))
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _timeout() -> str:
    return os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", _QUIET["MLFLOW_HTTP_REQUEST_TIMEOUT"])
