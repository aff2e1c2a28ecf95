"""Studies for the tests of the projection, and what MLflow shows of them."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow

POINTS: Final = ("model.blocks[0].kernel_size", "optimizer", "optimizer(Adam).lr")
START: Final = 1_700_000_000.0


@functools.cache
def shared_store() -> str:
    """The URI of a database that all tests of a process share: to make one takes seconds."""
    from automl_cli.mlflow_client import Client

    folder = tempfile.mkdtemp(prefix="automl-mlflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    uri = f"sqlite:///{folder}/mlflow.db"
    Client(uri, "first")
    return uri


class Clocked(Ledger):
    """A ledger whose clock is set by the test: seconds since `START`."""

    time = 0.0

    def __enter__(self) -> Clocked:
        return self

    def _now(self) -> float:
        return START + self.time


def create_study(
    ledger: Ledger,
    name: str = "digits",
    goals: Sequence[tuple[str, str]] = (("accuracy", "maximize"),),
    points: Sequence[str] = POINTS,
) -> StudyRow:
    """A study without trials."""
    return ledger.create_study(
        name,
        recipe="program: !Net {width: !oneof [1, 2]}\n",
        space='{"type": "Net"}',
        space_hash="5bace",
        program_hash="9e0",
        algorithm="evolution",
        options=json.dumps({"population": 50}),
        objectives=json.dumps([{"metric": m, "direction": d} for m, d in goals]),
        seed=7,
        environment=json.dumps({"versions": {}, "commit": "c0ffee", "points": list(points)}),
    )


def decisions(number: int) -> dict[str, Any]:
    """A decision record; `lr` counts for every second trial only."""
    record = {POINTS[0]: (3, 5, 7)[number % 3], POINTS[1]: ("SGD", "Adam")[number % 2]}
    return {**record, POINTS[2]: number / 1000} if number % 2 else record


def value(number: int) -> float:
    """The accuracy of a trial."""
    return ((number * 37) % 101) / 101


def run_trial(ledger: Clocked, study: StudyRow, number: int, seconds: float = 1.0) -> None:
    """A trial from proposal to result; each 5th fails, each 7th is pruned."""
    propose(ledger, study, number)
    finish(ledger, study, number, seconds)


def propose(ledger: Clocked, study: StudyRow, number: int) -> None:
    """A trial that runs."""
    ledger.propose(study.id, number, json.dumps(decisions(number)), json.dumps({"madds": 1e6}))


def finish(ledger: Clocked, study: StudyRow, number: int, seconds: float = 1.0) -> None:
    """Its end."""
    ledger.time += seconds
    state, metrics, reason = "completed", {"accuracy": value(number), "seconds": seconds}, ""
    if number % 5 == 0:
        state, metrics, reason = "failed", {}, "ValueError: no\n  traceback"
    elif number % 7 == 0:
        state = "pruned"
    assert ledger.finish(study.id, number, 1, state, json.dumps(metrics), reason)


def make_study(
    path: Path, count: int, *, seconds: float = 1.0, state: str = "completed", name: str = "digits"
) -> StudyRow:
    """A study with finished trials 1 .. count."""
    with Clocked(path) as ledger:
        study = create_study(ledger, name)
        for number in range(1, count + 1):
            run_trial(ledger, study, number, seconds)
        ledger.set_study_state(study.id, state)
    return study


def snapshot(uri: str, study: StudyRow) -> dict[str, Any]:
    """All that MLflow has of a study, by uid: ids, states, times, parameters, tags, metrics."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(
        experiments, f"tags.`automl.uid` LIKE '{study.uid}%'", max_results=9999
    )
    found: dict[str, Any] = {}
    for run in runs:
        uid = run.data.tags["automl.uid"]
        assert uid not in found, f"{uid} is there twice"
        found[uid] = {
            "id": run.info.run_id,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                key: [(m.step, m.value, m.timestamp) for m in history(client, run.info.run_id, key)]
                for key in run.data.metrics
            },
        }
    return found


def history(client: Any, run_id: str, key: str) -> list[Any]:
    """A metric's values in the order of their steps."""
    return sorted(client.get_metric_history(run_id, key), key=lambda m: (m.step, m.timestamp))


def without_ids(shown: dict[str, Any]) -> dict[str, Any]:
    """A snapshot without what differs between two stores: the ids of runs."""
    hidden = ("mlflow.parentRunId", "mlflow.note.content")
    return {
        uid.partition("/")[2]: {
            **{k: v for k, v in run.items() if k != "id"},
            "tags": {k: v for k, v in run["tags"].items() if k not in (*hidden, "automl.uid")},
        }
        for uid, run in shown.items()
    }
