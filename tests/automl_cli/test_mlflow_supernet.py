"""The training of a supernet in MLflow: every record once, a picture, a table."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automl_cli import mlflow_projection, mlflow_summary
from automl_cli.ledger_schema import StudyRow, SupernetRow
from automl_cli.mlflow_client import Client, Unreachable
from automl_cli.mlflow_projection import project
from automl_cli.mlflow_records import MOST_ENTROPIES, Names, supernet_samples
from tests.automl_cli.mlflow_studies import (
    POINTS,
    START,
    Clocked,
    create_study,
    run_trial,
    shared_store,
    snapshot,
    without_ids,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
CANDIDATES = [["3", "5", "7"], ["SGD", "Adam"], []]
RECORDS = 60


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of trials are tested elsewhere."""
    monkeypatch.setattr(mlflow_summary, "figures", lambda *_: {})


def record(number: int) -> SupernetRow:
    """After `10 * number` steps; from the 6th on the policy has moved."""
    sure = max(0.0, (number - 5) / RECORDS)
    policy = {"0": [(1 - sure) / 3, (1 - sure) / 3, (1 + 2 * sure) / 3], "1": [0.5, 0.5]}
    metrics = {"loss": 1 / number, "reward": number / 100, "entropy": 1 - sure / 2}
    return SupernetRow(10 * number, 10 * RECORDS, number * 0.5, json.dumps(metrics),
                       json.dumps(policy), START + number)  # fmt: skip


def make_study(path: Path, records: int = RECORDS, trials: int = 1) -> StudyRow:
    """A study whose supernet was trained, with its trials."""
    with Clocked(path) as ledger:
        study = create_study(ledger)
        known = json.loads(study.environment) | {"candidates": CANDIDATES}
        ledger.update_study(study.id, environment=json.dumps(known))
        for number in range(1, records + 1):
            ledger.supernet(study.id, record(number))
        ledger.time = records + 1.0
        for number in range(1, trials + 1):
            run_trial(ledger, study, number)
        ledger.set_study_state(study.id, "completed")
    return study


def test_every_record_is_there_once(tmp_path: Path) -> None:
    """Metrics with steps and the times of the ledger, however often it is projected."""
    uri, path = shared_store(), tmp_path / "l.db"
    study = make_study(path)
    for _ in range(2):
        assert project(path, "digits", uri, "supernets").ok
        metrics = snapshot(uri, study)[study.uid]["metrics"]
        steps = [10 * number for number in range(1, RECORDS + 1)]
        assert metrics["supernet/loss"] == [
            (10 * n, 1 / n, round((START + n) * 1000)) for n in range(1, RECORDS + 1)
        ]
        for name in ("step", "reward", "entropy", "seconds"):
            assert [step for step, _, _ in metrics[f"supernet/{name}"]] == steps
        curve = metrics["entropy/model.blocks.0.kernel_size"]
        assert [step for step, _, _ in curve] == steps[5:]
        assert [v for _, v, _ in curve] == sorted((v for _, v, _ in curve), reverse=True)
        assert [v for _, v, _ in metrics["trials"]] == [1]


def test_it_comes_while_the_supernet_is_trained(tmp_path: Path) -> None:
    """A second projection adds what is new, though no trial has begun."""
    uri, path = shared_store(), tmp_path / "l.db"
    study = make_study(path, records=3, trials=0)
    project(path, "digits", uri, "supernets")
    first = snapshot(uri, study)[study.uid]["metrics"]
    assert len(first["supernet/loss"]) == 3
    with Clocked(path) as ledger:
        for number in (4, 5):
            ledger.supernet(study.id, record(number))
    project(path, "digits", uri, "supernets")
    shown = snapshot(uri, study)[study.uid]
    assert shown["metrics"]["supernet/loss"][:3] == first["supernet/loss"]
    assert [step for step, _, _ in shown["metrics"]["supernet/step"]] == [10, 20, 30, 40, 50]
    assert shown["times"][1] == round((START + 5) * 1000)


def test_a_lost_reply_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that arrived although nobody heard of it is not sent in other words."""
    uri, path = shared_store(), tmp_path / "l.db"
    study = make_study(path)
    log, calls = Client.log, [0]
    monkeypatch.setattr(mlflow_projection, "_SUPERNET_BATCH", 50)

    def forgetful(self: Client, run_id: str, samples: Any = (), *rest: Any, **more: Any) -> None:
        log(self, run_id, samples, *rest, **more)
        calls[0] += bool(samples)
        if samples and calls[0] in (2, 4):
            raise Unreachable("no answer")

    monkeypatch.setattr(Client, "log", forgetful)
    assert [project(path, "digits", uri, "supernets").ok for _ in range(3)] == [False, False, True]
    metrics = snapshot(uri, study)[study.uid]["metrics"]
    assert len(metrics["supernet/step"]) == len(metrics["supernet/loss"]) == RECORDS


@pytest.mark.slow
def test_killed_in_the_middle_then_synced(tmp_path: Path) -> None:
    """SIGKILL to the process among the records, then a sync: what an undisturbed one gives."""
    uri, path = shared_store(), tmp_path / "l.db"
    study = make_study(path)
    script = (
        "import sys; from automl_cli import mlflow_process, mlflow_projection; "
        "mlflow_projection._SUPERNET_BATCH = 5; sys.exit(mlflow_process.main())"
    )
    arguments = ["--ledger", str(path), "--study", "digits", "--uri", uri, "--experiment", "k"]
    for more in (3, 10):
        goal = _sent(uri, study) + more
        with subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 60
            while _sent(uri, study) < goal and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert goal <= _sent(uri, study) < RECORDS, "it was over before it was killed"
    assert project(path, "digits", uri, "k").ok
    disturbed = without_ids(snapshot(uri, study))
    again = make_study(tmp_path / "again.db")
    project(tmp_path / "again.db", "digits", uri, "undisturbed")
    expected = without_ids(snapshot(uri, again))
    expected[""]["times"] = disturbed[""]["times"]
    assert disturbed == expected


def _sent(uri: str, study: StudyRow) -> int:
    run = snapshot(uri, study).get(study.uid)
    return len(run["metrics"].get("supernet/step", [])) if run else 0


def test_picture_and_table(tmp_path: Path) -> None:
    """plots/policy.png and supernet.csv, with the names of the candidates."""
    from mlflow import MlflowClient

    uri, path = shared_store(), tmp_path / "l.db"
    study = make_study(path)
    project(path, "digits", uri, "supernets")
    client, run = MlflowClient(uri), snapshot(uri, study)[study.uid]["id"]
    assert [a.path for a in client.list_artifacts(run, "plots")] == ["plots/policy.png"]
    folder = Path(client.get_run(run).info.artifact_uri.removeprefix("file://"))
    rows = list(csv.DictReader(io.StringIO((folder / "supernet.csv").read_text("utf-8"))))
    assert [row["step"] for row in rows] == [str(10 * n) for n in range(1, RECORDS + 1)]
    assert rows[0]["loss"] == "1.0"
    last = json.loads(record(RECORDS).policy)
    assert float(rows[-1][f"{POINTS[0]}=7"]) == last["0"][2]
    assert float(rows[-1]["optimizer=Adam"]) == 0.5


def test_curves_of_decisions_are_bounded() -> None:
    """Of a thousand decisions some have a curve; the step is the last sample of a record."""
    ids = [f"op[{i}]" for i in range(1000)]
    policy = {str(i): [0.9, 0.1] for i in range(1000)}
    row = SupernetRow(7, 9, 1.0, '{"loss": NaN}', json.dumps(policy), START)
    samples = supernet_samples(row, ids, Names(ids))
    assert sum(s.key.startswith("entropy/") for s in samples) == MOST_ENTROPIES
    assert (samples[-1].key, samples[-1].value) == ("supernet/step", 7)
    assert {s.step for s in samples} == {7}
