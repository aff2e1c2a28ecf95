"""The projection beside a search: it starts, follows, ends, and never disturbs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cli.ledger import Ledger
from automl_cli.mlflow_process import Projection, is_driven, side_file
from tests.automl_cli.mlflow_studies import (
    Clocked,
    create_study,
    make_study,
    run_trial,
    shared_store,
    snapshot,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
DEAD = "http://127.0.0.1:9"


def test_a_study_from_start_to_finish(tmp_path: Path) -> None:
    """The process sees what happens after its start, and has ended with the study."""
    uri = shared_store()
    with Clocked(tmp_path / "l.db") as ledger:
        study = create_study(ledger)
        projection = Projection(tmp_path / "l.db", study, tracking_uri=uri, experiment="process")
        projection.start()
        for number in (1, 2, 3):
            run_trial(ledger, study, number)
        ledger.set_study_state(study.id, "completed")
    assert projection.finish(120) == (True, 3, 0, "", True)
    assert projection.warning() is None
    assert len(snapshot(uri, study)) == 4
    assert snapshot(uri, study)[study.uid]["status"] == "FINISHED"
    _join(projection)


def test_mlflow_is_away(tmp_path: Path) -> None:
    """The user sees one line, once; finish does not wait; the search has gone on."""
    study = make_study(tmp_path / "l.db", 3, state="running")
    projection = Projection(tmp_path / "l.db", study, tracking_uri=DEAD)
    projection.start()
    line = _first_warning(projection)
    assert line == (
        f"MLflow unreachable: {DEAD}: connection refused; the search goes on; later: automl sync"
    )
    time.sleep(0.6)
    assert projection.warning() is None
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.set_study_state(study.id, "completed")
    started = time.monotonic()
    report = projection.finish(60)
    assert (report.ok, report.pending, report.message) == (False, 3, line)
    assert time.monotonic() - started < 10
    _join(projection)


def test_a_process_that_cannot_work_is_one_line(tmp_path: Path) -> None:
    """It died: the driver says so, names the log, and goes on."""
    study = make_study(tmp_path / "l.db", 1)
    projection = Projection(tmp_path / "l.db", study, children="nonsense")
    projection.start()
    assert "the projection ended" in projection.finish(60).message
    assert str(projection.log) in (_first_warning(projection) or "")
    assert "nonsense" in projection.log.read_text()


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    """Even when not so much as a log file can be made, nothing is raised."""
    study = make_study(tmp_path / "l.db", 1)
    projection = Projection(tmp_path / "gone" / "l.db", study)
    projection.start()
    assert "cannot start the projection" in (projection.warning() or "")
    assert not projection.finish(1).ok


def test_finish_waits_no_longer_than_told(tmp_path: Path) -> None:
    """What takes longer goes on in the background, and the user hears of it."""
    study = make_study(tmp_path / "l.db", 1, state="running")
    projection = Projection(tmp_path / "l.db", study, tracking_uri=shared_store())
    projection.start()
    report = projection.finish(0.0)
    assert not report.ok
    assert "in the background" in report.message
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.set_study_state(study.id, "completed")
    _join(projection)


def test_the_driver_imports_no_mlflow() -> None:
    """Starting a projection costs the driver none of MLflow's import."""
    script = "import sys; import automl_cli.mlflow_process; assert 'mlflow' not in sys.modules"
    heavy = "; assert not {'matplotlib', 'numpy', 'optuna', 'sqlalchemy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", script + heavy], check=True)


@pytest.mark.slow
def test_the_driver_is_killed(tmp_path: Path) -> None:
    """The projection ends by itself, with all that the ledger holds and a run marked as killed."""
    script = """
import os, signal, sys
from pathlib import Path
from automl_cli.mlflow_process import Projection
from tests.automl_cli.mlflow_studies import Clocked, run_trial
ledger = Clocked(Path(sys.argv[1]))
study = ledger.study("digits")
with ledger.lock(study.id):
    projection = Projection(ledger.path, study, tracking_uri=sys.argv[2], experiment="orphan")
    projection.start()
    for number in range(1, 5):
        run_trial(ledger, study, number)
    print(projection._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    uri = shared_store()
    study = make_study(tmp_path / "l.db", 0, state="running")
    driver = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "l.db"), uri],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert driver.returncode == -signal.SIGKILL, driver.stderr
    _await_end_of(int(driver.stdout))
    found = snapshot(uri, study)
    assert len(found) == 5
    assert found[study.uid]["status"] == "KILLED"


def test_is_driven(tmp_path: Path) -> None:
    """The lock of the ledger names the driver."""
    study = make_study(tmp_path / "l.db", 0)
    assert not is_driven(tmp_path / "l.db", study.id)
    with Ledger(tmp_path / "l.db") as ledger, ledger.lock(study.id):
        assert is_driven(tmp_path / "l.db", study.id)


def test_secrets_are_not_among_the_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of a machine can read the arguments of a process, its environment only one."""
    seen: dict[str, str] = {}

    def popen(line: list[str], env: dict[str, str], **_: object) -> None:
        seen.update(line=" ".join(line), uri=env["MLFLOW_TRACKING_URI"])
        raise OSError("not today")

    monkeypatch.setattr(subprocess, "Popen", popen)
    study = make_study(tmp_path / "l.db", 0)
    Projection(tmp_path / "l.db", study, tracking_uri="http://ann:canary@host").start()
    assert "canary" not in seen["line"]
    assert "canary" in seen["uri"]
    assert side_file(tmp_path / "l.db", study.id, "log").exists()


def _first_warning(projection: Projection) -> str | None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        line = projection.warning()
        if line:
            return line
        time.sleep(0.05)
    return None


def _join(projection: Projection) -> None:
    assert projection._process is not None
    projection._process.wait(60)


def _await_end_of(pid: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")
