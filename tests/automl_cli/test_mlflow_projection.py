"""The projection into a real MLflow database: complete, exact, and the same however often."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from automl_cli import mlflow_projection, mlflow_selection, mlflow_summary
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.mlflow_client import Client, Unreachable
from automl_cli.mlflow_projection import ProjectionReport, project
from tests.automl_cli.mlflow_studies import (
    START,
    Clocked,
    create_study,
    finish,
    make_study,
    propose,
    run_trial,
    shared_store,
    snapshot,
    value,
    without_ids,
)

# MLflow uses what the newest SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def uri() -> str:
    """One database for all tests."""
    return shared_store()


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a second: one test does."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(mlflow_summary, "figures", lambda *_: {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger."""
    return tmp_path / "ledger.db"


def test_a_study_is_a_run_and_its_trials_are_nested(uri: str, path: Path) -> None:
    """Every trial has one run below that of the study, with decisions, metrics, tags and times."""
    from mlflow import MlflowClient

    study = make_study(path, 8)
    assert project(path, "digits", uri, "family") == ProjectionReport(True, 8, 0, "", over=True)

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("family")
    found = snapshot(uri, study)
    parent = found.pop(study.uid)
    nested = client.search_runs(
        [experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent['id']}'"
    )
    assert {run.info.run_id for run in nested} == {run["id"] for run in found.values()}
    assert set(found) == {f"{study.uid}/{number}" for number in range(1, 9)}

    third = found[f"{study.uid}/3"]
    assert third["params"] == {
        "model.blocks.0.kernel_size": "3",
        "optimizer": "Adam",
        "optimizer.Adam.lr": "0.003",
    }
    when = round((START + 3) * 1000)
    assert third["metrics"] == {
        "accuracy": [(0, value(3), when)],
        "madds": [(0, 1e6, when)],
        "seconds": [(0, 1.0, when)],
    }
    assert third["times"] == (when - 1000, when)
    assert third["status"] == "FINISHED"
    assert (
        third["tags"]
        | {
            "state": "completed",
            "attempt": "1",
            "algorithm": "evolution",
            "seed": "7",
            "space": "5bace",
            "mlflow.source.git.commit": "c0ffee",
        }
        == third["tags"]
    )
    assert found[f"{study.uid}/5"]["status"] == "FAILED"
    assert found[f"{study.uid}/5"]["tags"]["reason"].startswith("ValueError")
    assert found[f"{study.uid}/7"]["status"] == "KILLED"
    assert {frozenset(run["params"]) for run in found.values()} == {frozenset(third["params"])}
    assert found[f"{study.uid}/2"]["params"]["optimizer.Adam.lr"] == "-"


def test_the_study_shows_its_curve(uri: str, path: Path) -> None:
    """The study's run has each trial and the best so far, by place in the order of finishing."""
    study = make_study(path, 8)
    project(path, "digits", uri, "family", children="none")
    (parent,) = snapshot(uri, study).values()
    trial = {step: v for step, v, _ in parent["metrics"]["trial/accuracy"]}
    best = {step: v for step, v, _ in parent["metrics"]["best/accuracy"]}
    assert trial == {n: value(n) for n in (1, 2, 3, 4, 6, 7, 8)}  # 5 failed
    assert best == {n: max(value(i) for i in range(1, n + 1) if i % 5 and i % 7) for n in best}
    assert set(best) == {1, 2, 3, 4, 6, 8}
    assert [v for _, v, _ in parent["metrics"]["trials"]] == list(range(1, 9))
    assert parent["params"]["evolution.population"] == "50"
    assert parent["params"]["decision_points"] == "3"
    assert parent["status"] == "FINISHED"
    assert parent["times"][1] == round((START + 8) * 1000)


def test_projecting_again_changes_nothing(uri: str, path: Path) -> None:
    """Twice is the same as once, to the last metric and run id."""
    study = make_study(path, 8)
    project(path, "digits", uri, "family")
    once = snapshot(uri, study)
    assert project(path, "digits", uri, "family").ok
    assert snapshot(uri, study) == once


@pytest.fixture
def figures() -> None:
    """Asked for by the test that wants figures."""


def test_artifacts(uri: str, path: Path, figures: None) -> None:
    """Recipe, space, best program, a table of all trials and figures come with the study."""
    from mlflow import MlflowClient

    study = make_study(path, 30)
    project(
        path,
        "digits",
        uri,
        "family",
        children="none",
        best_recipe=lambda number: f"trial: {number}\n",
    )
    client = MlflowClient(uri)
    (parent,) = snapshot(uri, study).values()
    names = [
        a.path for folder in ("", "plots") for a in client.list_artifacts(parent["id"], folder)
    ]
    assert {"recipe.yaml", "space.json", "trials.csv", "plots/search.png"} <= set(names)
    assert {"plots/decisions.png", "plots/importances.png"} <= set(names)
    location = client.get_run(parent["id"]).info.artifact_uri.removeprefix("file://")
    best = max((n for n in range(1, 31) if n % 5 and n % 7), key=value)
    assert Path(location, "best_recipe.yaml").read_text() == f"trial: {best}\n"
    assert Path(location).parents[1] == Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert len(Path(location, "trials.csv").read_text().splitlines()) == 31
    assert "automl best digits" in parent["tags"]["mlflow.note.content"]


def test_trouble_with_an_artifact_costs_only_that(
    uri: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A best recipe that cannot be made leaves everything else in place."""
    make_study(path, 3)

    def fail(trial_id: int) -> str:
        raise RuntimeError("no program here")

    assert project(path, "digits", uri, "family", best_recipe=fail).ok
    assert "no program here" in caplog.text


def test_reports_and_what_is_not_finite(uri: str, path: Path) -> None:
    """Reports keep their steps; NaN and infinities are NaN; the final value is the latest."""
    with Clocked(path) as ledger:
        study = create_study(ledger)
        propose(ledger, study, 1)
        for step, shown in ((1, 0.25), (2, "inf"), (3, math.nan), (4, 0.75)):
            ledger.report(study.id, 1, 1, step, json.dumps({"accuracy": shown}))
        ledger.time = 1e9
        finish(ledger, study, 1)
        ledger.set_study_state(study.id, "completed")
    for _ in range(2):
        assert project(path, "digits", uri, "family").ok
    run = snapshot(uri, study)[f"{study.uid}/1"]
    seen = [(step, v) for step, v, _ in run["metrics"]["accuracy"]]
    assert [step for step, _ in seen] == [1, 2, 3, 4, 4]
    assert [v for _, v in seen if not math.isnan(v)] == [0.25, 0.75, value(1)]


def test_a_lost_reply_doubles_nothing(
    uri: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was made although its maker heard nothing is found again, or deleted."""
    study = make_study(path, 6)
    create, lost = Client.create, {1, 4}

    def forgetful(self: Client, name: str, *args: Any) -> str:
        run_id = create(self, name, *args)
        number = int(name.rpartition(" ")[2]) if name.startswith("trial") else 0
        if number in lost:
            lost.remove(number)
            create(self, name, *args)
            raise Unreachable("no answer")
        return run_id

    monkeypatch.setattr(Client, "create", forgetful)
    reports = [project(path, "digits", uri, "family") for _ in range(3)]
    assert [r.ok for r in reports] == [False, False, True]
    assert "later: automl sync" in reports[0].message
    assert [r.projected for r in reports] == [0, 3, 6]
    assert len(snapshot(uri, study)) == 7


def test_a_fast_search_has_runs_for_the_best_and_a_sample(
    uri: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The curve holds all trials; few of them have runs of their own."""
    monkeypatch.setattr(mlflow_selection, "FEW", 99)
    study = make_study(path, 100, seconds=0.001)
    assert project(path, "digits", uri, "family") == (True, 100, 0, "", True)
    found = snapshot(uri, study)
    parent = found.pop(study.uid)
    assert len(parent["metrics"]["trials"]) == 100
    assert 40 <= len(found) <= mlflow_selection.BEST + mlflow_selection.SAMPLE
    best = sorted((n for n in range(1, 101) if n % 5 and n % 7), key=value)[-10:]
    assert {f"{study.uid}/{n}" for n in best} <= set(found)


def test_following_a_search(uri: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials appear while the study runs, a long one while it runs itself, and nothing is lost."""
    monkeypatch.setattr(mlflow_projection, "_LIVE_EVERY", 0.0)
    monkeypatch.setattr(mlflow_projection, "POLL", 0.02)
    with Clocked(path) as ledger, _following(path, uri) as end:
        study = ledger.study("digits")
        assert study is not None
        run_trial(ledger, study, 1)
        propose(ledger, study, 2)
        ledger.report(study.id, 2, 1, 1, '{"accuracy": 0.5}')
        live = _wait(lambda: snapshot(uri, study).get(f"{study.uid}/2"), study)
        assert (live["status"], live["tags"]["state"]) == ("RUNNING", "running")
        _wait(lambda: snapshot(uri, study)[f"{study.uid}/2"]["metrics"].get("accuracy"), study)
        ledger.report(study.id, 2, 1, 2, '{"accuracy": 0.75}')
        finish(ledger, study, 2)
        run_trial(ledger, study, 3)
        ledger.set_study_state(study.id, "completed")
        assert end() == (True, 3, 0, "", True)
    found = snapshot(uri, study)
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    second = found[f"{study.uid}/2"]
    assert second["id"] == live["id"]
    assert [v for _, v, _ in second["metrics"]["accuracy"]][:2] == [0.5, 0.75]
    assert second["tags"]["state"] == "completed"


def test_following_through_an_outage(uri: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While MLflow is away the ledger fills; what is missing follows when it is back."""
    monkeypatch.setattr(mlflow_projection, "POLL", 0.02)
    monkeypatch.setattr(mlflow_projection, "_PAUSES", (0.05,))
    away = threading.Event()
    away.set()
    log = Client.log

    def unreliable(self: Client, *args: Any, **options: Any) -> None:
        if away.is_set():
            raise Unreachable("connection refused")
        log(self, *args, **options)

    monkeypatch.setattr(Client, "log", unreliable)
    heard: list[ProjectionReport] = []
    with Clocked(path) as ledger, _following(path, uri, heard) as end:
        study = ledger.study("digits")
        assert study is not None
        for number in (1, 2, 3):
            run_trial(ledger, study, number)
        _wait(lambda: any(r.pending == 3 and r.message for r in heard), study)
        away.clear()
        _wait(lambda: heard[-1].ok and heard[-1].projected == 3, study)
        ledger.set_study_state(study.id, "completed")
        assert end() == (True, 3, 0, "", True)
    assert len(snapshot(uri, study)) == 4


def test_interrupted_then_resumed(uri: str, path: Path) -> None:
    """A stopped study is shown as killed, and as finished when it was resumed to its end."""
    with Clocked(path) as ledger:
        study = create_study(ledger)
        run_trial(ledger, study, 1)
        propose(ledger, study, 2)
        ledger.set_study_state(study.id, "interrupted")
        project(path, "digits", uri, "family")
        before = snapshot(uri, study)
        assert before[study.uid]["status"] == "KILLED"
        assert before[study.uid]["tags"]["state"] == "interrupted"
        assert set(before) == {study.uid, f"{study.uid}/1"}
        ledger.set_study_state(study.id, "running")
        attempt = ledger.retry(study.id, 2, 1)
        ledger.time += 1
        ledger.finish(study.id, 2, attempt, "completed", '{"accuracy": 0.5}')
        ledger.set_study_state(study.id, "completed")
    project(path, "digits", uri, "family")
    after = snapshot(uri, study)
    assert after[study.uid]["id"] == before[study.uid]["id"]
    assert after[study.uid]["status"] == "FINISHED"
    assert after[f"{study.uid}/1"] == before[f"{study.uid}/1"]
    assert after[f"{study.uid}/2"]["tags"]["attempt"] == "2"


def test_a_study_whose_driver_died_is_not_shown_as_running(uri: str, path: Path) -> None:
    """The ledger says running, but its lock names a process that is gone."""
    study = make_study(path, 2, state="running")
    with Ledger(path) as ledger, ledger.lock(study.id):
        project(path, "digits", uri, "family")
        assert snapshot(uri, study)[study.uid]["status"] == "RUNNING"
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                             capture_output=True, text=True, check=True)  # fmt: skip
    path.with_name(f"{path.name}.{study.id}.lock").write_text(process.stdout)
    project(path, "digits", uri, "family")
    assert snapshot(uri, study)[study.uid]["status"] == "KILLED"


def test_a_deleted_run_comes_back(uri: str, path: Path) -> None:
    """What was deleted in MLflow is in the ledger still: sync makes it anew."""
    from mlflow import MlflowClient

    study = make_study(path, 3)
    project(path, "digits", uri, "family")
    before = snapshot(uri, study)
    MlflowClient(uri).delete_run(before[f"{study.uid}/2"]["id"])
    project(path, "digits", uri, "family")
    after = snapshot(uri, study)
    assert after[f"{study.uid}/2"]["id"] != before[f"{study.uid}/2"]["id"]
    assert without_ids(after) == without_ids(before)


def test_only_one_projection_at_a_time(
    uri: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second projection of a study waits a little, then says who is at work."""
    from automl_cli import mlflow_process

    study = make_study(path, 1)
    monkeypatch.setattr(mlflow_projection, "_PATIENCE", 0.1)
    with mlflow_process.alone(path, study.id, patience=0.0) as holder:
        assert not holder
        report = project(path, "digits", uri, "family")
    assert not report.ok
    assert f"process {os.getpid()} projects digits" in report.message


def test_an_unknown_study(uri: str, path: Path) -> None:
    """It is said, not raised: the driver's process has nobody to raise to."""
    make_study(path, 1)
    assert "has no study other" in project(path, "other", uri).message


def test_killed_in_the_middle_then_synced(uri: str, path: Path) -> None:
    """SIGKILL at two moments, then a sync: exactly what an undisturbed projection gives."""
    study = make_study(path, 24)
    for more in (2, 8):
        goal = _count(uri, study) + more
        with subprocess.Popen(
            [*(sys.executable, "-m", "automl_cli.mlflow_process", "--ledger", str(path)),
             *("--study", "digits", "--uri", uri, "--experiment", "killed", "--children", "all")],
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                _wait(lambda goal=goal: _count(uri, study) >= goal, study)
            finally:
                process.send_signal(signal.SIGKILL)
        assert _count(uri, study) < 25, "it was over before it was killed"
    assert project(path, "digits", uri, "killed", children="all") == (True, 24, 0, "", True)
    disturbed = snapshot(uri, study)

    undisturbed = path.with_name("again.db")
    again = make_study(undisturbed, 24)
    project(undisturbed, "digits", uri, "undisturbed", children="all")
    expected = without_ids(snapshot(uri, again))
    expected[""]["times"] = without_ids(disturbed)[""]["times"]  # when the study was created
    assert without_ids(disturbed) == expected


class _following:
    """A projection that follows a new study in a thread; leaving it ends the thread."""

    def __init__(self, path: Path, uri: str, heard: list[ProjectionReport] | None = None) -> None:
        with Clocked(path) as ledger:
            create_study(ledger)
        self.stop = threading.Event()
        self.result: list[ProjectionReport] = []
        listener = (heard if heard is not None else []).append
        self.thread = threading.Thread(
            target=lambda: self.result.append(
                project(
                    path,
                    "digits",
                    uri,
                    "family",
                    follow=True,
                    stop=self.stop,
                    children="all",
                    listener=listener,
                )
            )
        )

    def __enter__(self) -> Any:
        self.thread.start()

        def end() -> ProjectionReport:
            self.thread.join(20)
            return self.result[0]

        return end

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(20)


def _count(uri: str, study: StudyRow) -> int:
    """Runs of a study, read past MLflow: the process that is watched needs the processor."""
    query = "SELECT count(*) FROM tags WHERE key = 'automl.uid' AND value LIKE ?"
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        (count,) = database.execute(query, (f"{study.uid}%",)).fetchone()
    return int(count)


def _wait(look: Any, study: StudyRow) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing came of {study.name}")
