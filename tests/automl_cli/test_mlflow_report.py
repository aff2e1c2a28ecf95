"""The report as a run of MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli.__main__ import main
from tests.automl_cli.mlflow_studies import shared_store
from tests.automl_cli.report_studies import record, row

# MLflow uses what the newest SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

LEDGER = Path(".automl") / "ledger.db"


def test_a_run_named_report_per_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Page and pictures as artifacts, moments of the experiment's own groups as metrics."""
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_store())
    for seed, value in enumerate((1.0, 3.0)):
        record(LEDGER, row("report-a", seed), [{"m": value}])
    record(LEDGER, row("report-b"), [{"m": 5.0}])
    assert main(["report", "--mlflow"]) == 0
    assert "in MLflow: the run report of the experiment report-b" in capsys.readouterr().err
    client = MlflowClient(shared_store())
    found = {}
    for name in ("report-a", "report-b"):
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        (found[name],) = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name for run in found.values()} == {"report"}
    assert found["report-a"].info.status == "FINISHED"
    assert found["report-a"].data.metrics == {
        "report-a random m/mean": 2.0, "report-a random m/std": pytest.approx(2**0.5),
    }  # fmt: skip
    assert found["report-b"].data.metrics["report-b random m/mean"] == 5.0
    run_id = found["report-a"].info.run_id
    assert {a.path for a in client.list_artifacts(run_id)} >= {"report.html", "comparison"}
    assert [a.path for a in client.list_artifacts(run_id, "comparison")] == ["comparison/m.png"]


def test_an_unreachable_server_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are written, the exit code says that something is missing."""
    monkeypatch.chdir(tmp_path)
    record(LEDGER, row(), [{"m": 1.0}])
    code = main(["report", "--mlflow", "--tracking-uri", "http://127.0.0.1:9", "-o", "r.html"])
    assert code == 1
    assert (tmp_path / "r.html").exists()
    assert "the report is not in MLflow: http://127.0.0.1:9: connection refused" in (
        capsys.readouterr().err
    )
