"""Our side of `loop`."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from harness import settle

from automl_cli import search, session
from automl_cli.ledger import Ledger
from automl_cli.recipe import load_recipe
from automl_cli.runner import Runner


@contextlib.contextmanager
def folder(where: Path | None = None) -> Iterator[Path]:
    """A new project folder as the working folder, below the present one if not said otherwise."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=where or before) as path:
        os.chdir(path)
        try:
            yield Path(path)
        finally:
            os.chdir(before)


def run(*settings: str) -> float:
    """Run the recipe in the working folder; returns wall seconds."""
    start = time.perf_counter()
    recipe = load_recipe("function", algorithm="random", settings=settings)
    with contextlib.redirect_stdout(io.StringIO()):
        code = session.Session(recipe, as_json=True).run("")
    spent = time.perf_counter() - start
    assert code == 0
    return spent


def rate(trials: int) -> float:
    """Trials per second."""
    with folder():
        return trials / run("tracking.enabled=false", f"budget.trials={trials}")


def cpu_rate(trials: int) -> float:
    """Trials per second of CPU time, with the ledger in memory."""
    with folder(Path("/dev/shm")):
        start = time.process_time()
        run("tracking.enabled=false", f"budget.trials={trials}")
        return trials / (time.process_time() - start)


def synced_rate(trials: int) -> float:
    """Trials per second when every write to the ledger waits for the disk."""
    session.Ledger = functools.partial(Ledger, durable=True)
    try:
        return rate(trials)
    finally:
        session.Ledger = Ledger


class TimedRunner(Runner):
    """A runner that notes how long it searched, in seconds of wall and CPU time."""

    spent: ClassVar[dict[str, float]]

    def run(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        super().run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        TimedRunner.spent = {"wall": wall, "CPU": cpu}


def spent(trials: int, tracking: bool) -> dict[str, float]:
    """Seconds from the first proposal to the last result, with MLflow on or off."""
    search.Runner = TimedRunner
    try:
        with folder() as path:
            run(
                f"tracking.enabled={str(tracking).lower()}",
                f"tracking.uri=sqlite:///{path}/mlflow.db",
                f"budget.trials={trials}",
            )
            settle(path)
    finally:
        search.Runner = Runner
    return TimedRunner.spent
