"""Somebody else who looks into an MLflow store."""

from __future__ import annotations

import contextlib
import sqlite3
import time

from mlflow import MlflowClient

PATIENCE = 180.0  # seconds
PAUSE = 0.25  # seconds between two looks


def await_runs(path: str, trials: int) -> float:
    """Wait until so many nested runs are finished; returns the clock (time.monotonic) then.

    Raises:
        TimeoutError: they do not come.
    """
    deadline = time.monotonic() + PATIENCE
    client = None
    while time.monotonic() < deadline:
        if client is None and _is_made(path):
            client = MlflowClient(f"sqlite:///{path}")
        if client is not None and _count(client) >= trials:
            return time.monotonic()
        time.sleep(PAUSE)
    raise TimeoutError(f"no {trials} finished runs within {PATIENCE:g} s")


def _is_made(path: str) -> bool:
    """Whether the database is complete: MLflow would start to migrate one that is not."""
    query = "SELECT count(*) FROM experiments WHERE name != 'Default'"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return bool(connection.execute(query).fetchone()[0])
    except sqlite3.Error:
        return False


def _count(client: MlflowClient) -> int:
    experiments = [e.experiment_id for e in client.search_experiments()]
    query = "attributes.status = 'FINISHED' AND tags.`mlflow.parentRunId` LIKE '%'"
    return len(client.search_runs(experiments, query, max_results=5000))
