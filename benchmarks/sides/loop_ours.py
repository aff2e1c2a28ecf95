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

from automl_cli import session, studies
from automl_cli.ledger import Ledger
from automl_cli.recipe import load_recipe


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new project folder below the working folder, and back."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=before) as path:
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


def synced_rate(trials: int) -> float:
    """Trials per second when every write to the ledger waits for the disk."""
    session.Ledger = functools.partial(Ledger, durable=True)
    try:
        return rate(trials)
    finally:
        session.Ledger = Ledger


def spent(trials: int, tracking: bool) -> dict[str, float]:
    """Seconds of a search with MLflow on or off.

    `wall`: from the first proposal to the last result; `cpu`: of the driver, for everything.
    """
    with folder() as path:
        start = time.process_time()
        run(
            f"tracking.enabled={str(tracking).lower()}",
            f"tracking.uri=sqlite:///{path}/mlflow.db",
            f"budget.trials={trials}",
        )
        cpu = time.process_time() - start
        with Ledger(studies.ledger_path(), read_only=True) as ledger:
            rows = ledger.trials(ledger.studies()[-1].id)
        wall = max(r.finished or 0.0 for r in rows) - min(r.proposed for r in rows)
        return {"wall": wall, "cpu": cpu}
