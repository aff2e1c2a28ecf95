"""Somebody else who looks into an MLflow store."""

from __future__ import annotations

import time

from mlflow import MlflowClient

PATIENCE = 120.0  # seconds


def await_runs(uri: str, trials: int) -> int:
    """Wait until there are so many finished nested runs; returns their number.

    Raises:
        TimeoutError: they do not come.
    """
    client = MlflowClient(uri)
    deadline = time.monotonic() + PATIENCE
    while (found := _count(client)) < trials:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} of {trials} runs after {PATIENCE:g} s")
        time.sleep(0.05)
    return found


def _count(client: MlflowClient) -> int:
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, "attributes.status = 'FINISHED'", max_results=5000)
    return sum("mlflow.parentRunId" in run.data.tags for run in runs)
