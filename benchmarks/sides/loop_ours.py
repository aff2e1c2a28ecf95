"""Our side of `loop`."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl_cli import session
from automl_cli.ledger import Ledger
from automl_cli.recipe import load_recipe


@contextmanager
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
