"""What all benchmarks share: the rows of the table, and two sides that take turns.

A side is a process of its own, in its own environment, that runs one module of `sides/`. It is
told a case and answers with numbers. Both sides stay alive and take turns, A B A B ..., so
that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / ".benchmarks"  # on the checkout's disk: /tmp may be memory
LOG = WORK / "log.txt"
OURS, PEERS = "AUTOML_BENCHMARK_PYTHON", "AUTOML_BENCHMARK_PEERS"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"}


class Row(NamedTuple):
    """One line of the table.

    Args:
        ours, peer: medians, in `unit`.
        ratio: how many times quicker we are; for an overhead (`at_most`) ours / peer.
        target: what the ratio must reach, or with `at_most` must not exceed; None: for
            information.
    """

    what: str
    ours: float
    peer: float
    unit: str
    ratio: float
    target: float | None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def faster(what: str, ours: float, peer: float, unit: str, target: float | None) -> Row:
    """A row that says how many times quicker we are; the unit is a time, or a rate `.../s`."""
    ratio = ours / peer if unit.endswith("/s") else peer / ours
    return Row(what, ours, peer, unit, ratio, target)


def overhead(what: str, ours: float, peer: float, unit: str, target: float | None) -> Row:
    """A row that says by which factor we may at most be above something."""
    return Row(what, ours, peer, unit, ours / peer, target, at_most=True)


def python(environment: str = OURS) -> str:
    """The interpreter of an environment; the driver names both to its children."""
    return os.environ.get(environment, sys.executable)


class Side:
    """A process that runs the cases of one module of `sides/`.

    Args:
        module: the module's name.
        environment: `OURS` or `PEERS`.
        folder: working folder of the process, where it may write.
    """

    def __init__(self, module: str, environment: str, folder: Path) -> None:
        self._name = module
        with LOG.open("a") as log:
            self._process = subprocess.Popen(
                [python(environment), HERE / "serve.py", module],
                cwd=folder, env={**os.environ, **QUIET}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def run(self, case: str, /, **options: Any) -> Any:
        """Call a function of the module and return what it returns.

        Raises:
            RuntimeError: when the process died; its own words are in `LOG`.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([case, options]) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            words = LOG.read_text()[-3000:]
            raise RuntimeError(f"{self._name}: {case} failed\n{words}") from None

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def sides(*modules: tuple[str, str]) -> Iterator[list[Side]]:
    """Start a side for each (module, environment), all in one new folder below `WORK`."""
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as folder, contextlib.ExitStack() as stack:
        started = []
        for module, environment in modules:
            side = Side(module, environment, Path(folder))
            stack.callback(side.close)
            started.append(side)
        yield started


def alternate(repeats: int, *measures: Callable[[], float]) -> list[float]:
    """Call every measure in turn, `repeats` times round; their medians.

    Every other round goes backwards, so that none always comes right after the same other.
    """
    values: list[list[float]] = [[] for _ in measures]
    for turn in range(repeats):
        order = range(len(measures)) if turn % 2 == 0 else reversed(range(len(measures)))
        for i in order:
            values[i].append(measures[i]())
    return [statistics.median(v) for v in values]


def settle(project: Path) -> None:
    """Wait until no projection into MLflow works on a project folder any more.

    `automl run` leaves the plots to it; without this the other side would run beside them.
    """
    for lock in project.glob(".automl/*.mlflow.lock"):
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
