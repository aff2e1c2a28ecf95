"""A report in MLflow: a run named `report` in each experiment that its studies belong to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from automl_cli.mlflow_client import Client, Refused, Unreachable
from automl_cli.mlflow_records import Names, Sample, milliseconds
from automl_cli.mlflow_uri import resolve_uri
from automl_cli.report_data import Entry
from automl_cli.study_results import experiment_of

RUN: Final = "report"


class _ReportClient(Client):
    def files(self, run_id: str, folder: Path) -> None:
        """Write all files of a folder as artifacts."""
        self._call(self._mlflow.log_artifacts, run_id, str(folder))


def log_report(
    entries: Sequence[Entry], files: Mapping[str, bytes], tracking_uri: str | None = None
) -> tuple[list[str], str]:
    """Write the page and the pictures, and mean and standard deviation of the groups' metrics.

    Every report is a run of its own, as what it compares may be something else each time.

    Args:
        files: the artifacts by relative path.
        tracking_uri: see `mlflow_uri.resolve_uri`.

    Returns:
        The experiments that have the report now, and one line of trouble with MLflow, else "".
    """
    by_experiment: dict[str, list[Entry]] = {}
    for entry in entries:
        for experiment in dict.fromkeys(experiment_of(s.row) for s in entry.group.studies):
            by_experiment.setdefault(experiment, []).append(entry)
    done: list[str] = []
    try:
        for experiment, members in by_experiment.items():
            client = _ReportClient(resolve_uri(tracking_uri), experiment)
            _log(client, members, files)
            done.append(experiment)
    except (Unreachable, Refused) as trouble:
        return done, str(trouble)
    return done, ""


def _log(client: _ReportClient, entries: Sequence[Entry], files: Mapping[str, bytes]) -> None:
    started = time.time()
    run_id = client.create(RUN, started, {"mlflow.source.name": "automl"})
    names = Names()
    client.log(
        run_id,
        [
            Sample(f"{names[key]}/{what}", value, milliseconds(started), 0)
            for entry in entries
            for key, pair in _moments(entry).items()
            for what, value in zip(("mean", "std"), pair, strict=True)
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        client.files(run_id, Path(folder))
    client.over(run_id, "FINISHED", time.time())


def _moments(entry: Entry) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of what the report shows of a group."""
    name = entry.group.name
    moments = {f"{name} {metric}": pair for metric, pair in entry.group.metrics.items()}
    if entry.at:
        for metric in entry.at.values:
            moments[f"{name} {metric} at {entry.at.budget}"] = entry.at.moments(metric)
    return moments
