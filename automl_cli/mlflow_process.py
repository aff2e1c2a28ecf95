"""The projection as a process beside a search: its starter, and what runs in it.

The driver imports no MLflow, waits for nothing, and cannot be disturbed: the process has a group
of its own (an interrupt at the terminal does not reach it), a low priority while there is a search
to give way to, a log file for all that MLflow says, and tells how far it is through a small JSON
file. When the driver dies it projects what the ledger holds and ends.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from automl_cli.ledger_schema import StudyRow
from automl_cli.mlflow_uri import resolve_uri
from automl_spaces.errors import AutomlError

_left_behind: list[subprocess.Popen[bytes]] = []  # at work still, when nobody waits any more
UNREACHABLE: Final = "MLflow unreachable"
_NICE: Final = 10  # as the command `nice`
_LOOK_EVERY: Final = 0.5  # seconds between two looks at the status file


class ProjectionReport(NamedTuple):
    """How far a projection is.

    Attributes:
        ok: everything that is finished is in MLflow.
        projected, pending: finished trials that are, and are not, all in MLflow.
        message: one line for the user; empty when there is nothing to say.
        over: the study has ended and its run in MLflow says so; figures may follow.
    """

    ok: bool
    projected: int
    pending: int
    message: str
    over: bool = False

    @property
    def unreachable(self) -> bool:
        """Whether MLflow does not answer, so that waiting for it would be in vain."""
        return self.message.startswith(UNREACHABLE)


def side_file(ledger_path: Path, study_id: int, kind: str) -> Path:
    """A file of the projection of a study, next to the ledger: its lock, log or status."""
    return ledger_path.with_name(f"{ledger_path.name}.{study_id}.mlflow.{kind}")


@contextlib.contextmanager
def alone(ledger_path: Path, study_id: int, patience: float) -> Iterator[str]:
    """Be the only projection of a study: yields nothing, or the process that is after a time.

    Args:
        patience: seconds to wait for another one to end.
    """
    path = side_file(ledger_path, study_id, "lock")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # a folder that can only be read: then nobody else is at work either
        yield ""
        return
    try:
        deadline = time.monotonic() + patience
        while not _locked(file):
            if time.monotonic() > deadline:
                yield os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
                return
            time.sleep(0.1)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield ""
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_driven(ledger_path: Path, study_id: int) -> bool:
    """Whether a driver may be at work on a study: its lock names a process that lives."""
    path = ledger_path.with_name(f"{ledger_path.name}.{study_id}.lock")
    try:
        os.kill(int(path.read_text(encoding="ascii")), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


class Projection:
    """Starts the projection of a study and hears from it. Nothing in here raises or waits long.

    Args:
        study: its row; in the ledger it is marked as running already.
        tracking_uri, experiment, children: as for `mlflow_projection.project`.
        best_recipe: `module:function`; the function is called in the process with the ledger's
            path and the study's name and returns what `project` takes as `best_recipe`.

    Attributes:
        told: the warnings that the user has seen.
    """

    def __init__(
        self,
        ledger_path: Path,
        study: StudyRow,
        *,
        tracking_uri: str | None = None,
        experiment: str = "",
        children: str = "auto",
        best_recipe: str = "",
    ) -> None:
        self.ledger_path, self.study = ledger_path.absolute(), study
        self.log = side_file(self.ledger_path, study.id, "log")
        self._status = side_file(self.ledger_path, study.id, "json")
        self._uri = tracking_uri
        self._options = {
            "--ledger": str(self.ledger_path),
            "--study": study.name,
            "--experiment": experiment,
            "--children": children,
            "--best-recipe": best_recipe,
            "--driver-pid": str(os.getpid()),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._failure = ""
        self.told: set[str] = set()
        self._looked = 0.0

    def start(self) -> None:
        """Start the process; it takes a second or two until it reads the ledger."""
        # In the environment and not among the arguments, which every user of a machine can read.
        environment = {**os.environ, "MLFLOW_TRACKING_URI": resolve_uri(self._uri)}
        environment.setdefault("OMP_NUM_THREADS", "1")
        # -P: a file named like a module in the working folder must not be taken for it.
        line = [sys.executable, "-P", "-m", __name__, "--follow"]
        line += [part for option in self._options.items() if option[1] for part in option]
        try:
            self._status.unlink(missing_ok=True)
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    line, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    process_group=0,  # Linux may weigh priorities within a session only
                )  # fmt: skip
        except OSError as error:
            self._failure = f"MLflow: cannot start the projection ({error}); later: automl sync"

    def warning(self) -> str | None:
        """A line for the user when there is something new to say, each line once. Cheap."""
        now = time.monotonic()
        if now < self._looked + _LOOK_EVERY:
            return None
        self._looked = now
        message = self._failure or self._read().message
        if not message and self._process is not None and self._process.poll():
            message = self._died()
        if not message or message in self.told:
            return None
        self.told.add(message)
        return message

    def finish(self, timeout: float = 30.0) -> ProjectionReport:
        """Wait until all of a study that is over is in MLflow; call it after its last change.

        Figures are not waited for. When it takes longer than `timeout` seconds, or MLflow cannot
        be reached, the process is left to itself: it does what it can, then ends.
        """
        if self._process is None:
            return ProjectionReport(False, 0, 0, self._failure)
        deadline = time.monotonic() + timeout
        while True:
            code = self._process.poll()
            report = self._read()
            if code is not None:
                lost = code != 0 and not report.message
                return report._replace(message=self._died()) if lost else report
            if not (report.over or report.message) and time.monotonic() > deadline:
                message = "MLflow: the rest follows in the background; later: automl sync"
                report = report._replace(ok=False, message=message)
            if report.over or report.message:
                _left_behind.append(self._process)
                return report
            time.sleep(0.02)

    def _died(self) -> str:
        return f"MLflow: the projection ended ({self.log}); the search goes on; later: automl sync"

    def _read(self) -> ProjectionReport:
        try:
            return ProjectionReport(**json.loads(self._status.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return ProjectionReport(False, 0, 0, "")


def main(arguments: Sequence[str] | None = None) -> int:
    """The process: 0 when everything is in MLflow, 1 when something is missing."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if options.driver_pid:
        watch = threading.Thread(target=_await_end, args=(options.driver_pid, stop), daemon=True)
        watch.start()
    from automl_cli.mlflow_projection import project

    try:
        study = _study(options)
        if study is not None and study.state == "running":
            with contextlib.suppress(OSError):
                os.nice(_NICE)  # for good; but after a search that is over, somebody waits
        report = project(
            options.ledger,
            options.study,
            options.uri,
            options.experiment,
            follow=options.follow,
            children=options.children,
            best_recipe=_hook(options),
            stop=stop,
            listener=_StatusFile(options.ledger, study),
        )
    except AutomlError as error:
        logging.error("%s", error)
        return 1
    logging.info("%s", report)
    return 0 if report.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--uri", help="MLFLOW_TRACKING_URI by default")
    parser.add_argument("--experiment", default="")
    parser.add_argument("--children", choices=("auto", "all", "best", "none"), default="auto")
    parser.add_argument("--best-recipe", default="", metavar="MODULE:FUNCTION")
    parser.add_argument("--follow", action="store_true", help="until the study is over")
    parser.add_argument("--driver-pid", type=int, default=0, help="end when this process has")
    return parser


def _study(options: argparse.Namespace) -> StudyRow | None:
    from automl_cli.ledger import Ledger

    with Ledger(options.ledger, read_only=True) as ledger:
        return ledger.study(options.study)


def _hook(options: argparse.Namespace) -> Callable[[int], str] | None:
    """The best recipe's maker, imported only when a recipe is wanted."""
    if not options.best_recipe:
        return None

    def best_recipe(trial_id: int) -> str:
        module, _, function = options.best_recipe.partition(":")
        make: Any = getattr(importlib.import_module(module), function)
        text: str = make(options.ledger, options.study)(trial_id)
        return text

    return best_recipe


class _StatusFile:
    """Writes each report that says something new to a file, as a whole or not at all."""

    def __init__(self, ledger_path: Path, study: StudyRow | None) -> None:
        self._path = side_file(ledger_path, study.id, "json") if study else None
        self._last: ProjectionReport | None = None

    def __call__(self, report: ProjectionReport) -> None:
        if report == self._last or self._path is None:
            return
        self._last = report
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(report._asdict()), encoding="utf-8")
            draft.replace(self._path)


def _await_end(pid: int, stop: threading.Event) -> None:
    """Set `stop` when a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        stop.set()
        return
    except (AttributeError, OSError):  # no such call here
        while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
            time.sleep(1.0)
    else:
        select.select([handle], [], [])
        os.close(handle)
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
