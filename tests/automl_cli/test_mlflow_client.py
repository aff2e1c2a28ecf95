"""MLflow that is dead, hung, raced for or secret."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_cli.mlflow_client import Client, Refused, Unreachable, prepare_environment
from automl_cli.mlflow_projection import project
from automl_cli.mlflow_uri import database, resolve_uri, shown
from tests.automl_cli.mlflow_studies import make_study, shared_store

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def dead() -> str:
    """The URI of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def hung() -> Iterator[str]:
    """The URI of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        open: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    open.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in open:
            connection.close()


def test_a_dead_server_costs_a_line(tmp_path: Path, dead: str) -> None:
    """No traceback, no waiting: what failed, and what to type later."""
    make_study(tmp_path / "l.db", 3)
    started = time.monotonic()
    report = project(tmp_path / "l.db", "digits", dead, "family")
    assert time.monotonic() - started < 10
    line = f"MLflow unreachable: {dead}: connection refused; later: automl sync"
    assert report == (False, 0, 3, line, False)


def test_a_hung_server_costs_seconds(
    tmp_path: Path, hung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is given up after the timeout, once, and nothing else is tried."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    make_study(tmp_path / "l.db", 3)
    started = time.monotonic()
    report = project(tmp_path / "l.db", "digits", hung, "family")
    assert time.monotonic() - started < 10
    assert "no answer within 1 s" in report.message


def test_defaults_give_up_soon_and_yield_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds and no retries, unless the user has said something else."""
    import os

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    prepare_environment()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "5"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_credentials_stay_out_of_messages(
    tmp_path: Path, dead: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the line for the user nor the log shows the password of a URI."""
    caplog.set_level("INFO")
    make_study(tmp_path / "l.db", 1)
    uri = dead.replace("http://", "http://ann:canary@")
    report = project(tmp_path / "l.db", "digits", uri, "family")
    assert "canary" not in report.message + caplog.text
    assert dead.removeprefix("http://") in report.message


def test_a_changed_parameter_is_refused_and_not_unreachable() -> None:
    """So that one value which MLflow does not take costs no outage."""
    client = Client(shared_store(), "refusal")
    run = client.create("run", 1.0, {})
    client.log(run, params={"a": "1"})
    client.log(run, params={"a": "1"})
    with pytest.raises(Refused, match="Changing param values is not allowed"):
        client.log(run, params={"a": "2"})


def test_a_deleted_experiment_is_named() -> None:
    """Writing to an experiment in the trash is not possible, and said in words."""
    from mlflow import MlflowClient

    client = Client(shared_store(), "doomed")
    MlflowClient(shared_store()).delete_experiment(client.experiment_id)
    with pytest.raises(Unreachable, match="doomed is in MLflow's trash"):
        Client(shared_store(), "doomed")


def test_batches_beyond_the_limits() -> None:
    """More metrics and parameters than one request takes are all there."""
    from mlflow import MlflowClient

    from automl_cli.mlflow_records import Sample

    client = Client(shared_store(), "large")
    run = client.create("run", 1.0, {})
    samples = [Sample("m", float(i), i, i) for i in range(1500)]
    client.log(run, samples, {f"p{i}": "x" * 5000 for i in range(230)})
    client.log(run, samples)
    raw = MlflowClient(shared_store())
    assert len(raw.get_run(run).data.params) == 230
    assert len(raw.get_metric_history(run, "m")) == 1500


@pytest.mark.slow
def test_several_processes_may_make_a_database(tmp_path: Path) -> None:
    """Four open a fresh database at once, and all of them can use it."""
    script = (
        "import sys\nfrom automl_cli.mlflow_client import Client\n"
        "print(Client(sys.argv[1], 'e').experiment_id)"
    )
    uri = f"sqlite:///{tmp_path}/sub/mlflow.db"
    started = [
        subprocess.Popen([sys.executable, "-c", script, uri], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    printed = [process.communicate(timeout=120)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert len({*printed}) == 1


def test_resolve_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given wins over the environment, and that over a database in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_uri("sqlite:///a/b.db?x=1") == f"sqlite:///{tmp_path}/a/b.db?x=1"
    assert resolve_uri("sqlite:////abs/b.db") == "sqlite:////abs/b.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resolve_uri() == "http://host:5000"
    assert resolve_uri("sqlite:////x.db") == "sqlite:////x.db"


def test_database_and_shown() -> None:
    """Only SQLite URIs have a file; users and passwords are not shown."""
    assert database("sqlite:////a/b.db?mode=rw") == Path("/a/b.db")
    assert database("http://host") is None
    assert database("postgresql://host/db") is None
    assert shown("postgresql://ann:secret@host:1/db?a=b") == "postgresql://host:1/db?a=b"
    assert shown("sqlite:////a/b@c.db") == "sqlite:////a/b@c.db"
