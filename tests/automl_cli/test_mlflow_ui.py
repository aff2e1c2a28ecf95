"""The server that `automl ui` becomes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from automl_cli import mlflow_ui
from automl_cli.mlflow_projection import project
from automl_cli.mlflow_ui import command, free_port, serve
from automl_spaces.errors import UserError
from tests.automl_cli.mlflow_studies import make_study, snapshot, without_ids

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def test_the_command_is_light_and_local() -> None:
    """One worker, no job queue, artifacts beside the database, no secrets among the arguments."""
    line, environment = command("sqlite:////data/mlflow.db", "127.0.0.1", 5001)
    text = " ".join(line)
    assert "mlflow server --host 127.0.0.1 --port 5001 --workers 1" in text
    assert text.endswith("--artifacts-destination /data/mlartifacts")
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "sqlite:////data/mlflow.db"
    line, environment = command("postgresql://ann:canary@host/db", "127.0.0.1", 5001)
    assert "canary" not in " ".join(line)


def test_a_taken_port_gives_way_to_the_next() -> None:
    """The next free one is used."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port < free_port("127.0.0.1", port) <= port + 50


def test_a_host_that_is_not_ours() -> None:
    """It is an error of the user's, in words."""
    with pytest.raises(UserError, match="not an address of this machine"):
        free_port("192.0.2.1", 5000)


def test_nothing_recorded_yet(tmp_path: Path) -> None:
    """A server on an empty folder would show nothing and leave a database behind."""
    with pytest.raises(UserError, match=r"there is no .*mlflow\.db yet"):
        serve(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_only_named(capsys: pytest.CaptureFixture[str]) -> None:
    """What is served already needs no server."""
    serve("http://ann:canary@host:5000")
    assert capsys.readouterr().err == "MLflow is served at http://host:5000\n"


def test_it_becomes_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process is replaced, after it has said which port is used instead of a taken one."""
    (tmp_path / "mlflow.db").touch()
    called: list[list[str]] = []
    monkeypatch.setattr(mlflow_ui.os, "execve", lambda _, line, __: called.append(line))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        serve(f"sqlite:///{tmp_path}/mlflow.db", port=port)
    said = capsys.readouterr().err
    used = called[0][called[0].index("--port") + 1]
    assert f"port {port} is taken, so {used} is used" in said
    assert f"http://127.0.0.1:{used}" in said


@pytest.mark.slow
def test_a_round_trip_through_a_server(tmp_path: Path) -> None:
    """Projecting over HTTP gives what projecting into a file gives, and the UI finds artifacts."""
    uri = f"sqlite:///{tmp_path}/served/mlflow.db"
    first = make_study(tmp_path / "first.db", 6)
    assert project(tmp_path / "first.db", "digits", uri, "file", children="all").ok
    port = free_port("127.0.0.1", 5400)
    line, environment = command(uri, "127.0.0.1", port)
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        line, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _await(f"{url}/health")
        second = make_study(tmp_path / "second.db", 6)
        for _ in range(2):
            report = project(tmp_path / "second.db", "digits", url, "http", children="all")
            assert report == (True, 6, 0, "", True)
        shown, expected = (without_ids(snapshot(url, s)) for s in (second, first))
        expected[""]["times"] = shown[""]["times"]
        assert shown == expected
        for study, name in ((first, "recipe.yaml"), (second, "trials.csv")):
            run_id = snapshot(url, study)[study.uid]["id"]
            artifact = f"{url}/get-artifact?path={name}&run_uuid={run_id}"
            with urllib.request.urlopen(artifact, timeout=10) as answer:
                assert answer.status == 200
                assert answer.read()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")
