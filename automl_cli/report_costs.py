"""What searches cost, in trainings of the static program, as the ledger tells it."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from automl_cli.ledger_schema import connect, explain
from automl_cli.study_report import StudyData
from automl_cli.study_results import known_space

PEAK: Final = "peak_memory_mb"
"""What a trial, or the training of a supernet, needed above what its process had before."""
_STATIC: Final = """
SELECT metrics FROM trials
WHERE study = ? AND state = 'completed' AND budget IS NULL AND decisions = ?
"""


class Cost(NamedTuple):
    """What a search cost.

    Args:
        seconds: of its supernet, training and derivation; otherwise of all its trials.
        trainings: the same in trainings of the static program; None when that was not trained.
        memory: its peak as a multiple of that training's; None unless both are recorded.
    """

    seconds: float
    trainings: float | None = None
    memory: float | None = None


def costs(path: Path, studies: Sequence[StudyData], among: Iterable[StudyData]) -> dict[int, Cost]:
    """The costs of studies, by their ids.

    Args:
        path: of the ledger.
        among: whose trials tell what a training of the static program takes; those of the same
            program and space count, whatever their algorithm is.
    """
    examples = {study.row.program_hash: study for study in studies}
    alike: dict[str, list[int]] = {program: [] for program in examples}
    for study in among:
        if study.row.program_hash in alike:
            alike[study.row.program_hash].append(study.row.id)
    ledger = connect(path, read_only=True)
    try:
        static = {
            program: _static(ledger, example, alike[program])
            for program, example in examples.items()
        }
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        ledger.close()
    return {study.row.id: _cost(study, static[study.row.program_hash]) for study in studies}


def _static(
    ledger: sqlite3.Connection, example: StudyData, studies: Iterable[int]
) -> dict[str, float]:
    """The metrics of the static program's trainings, averaged; nothing when there are none."""
    space = known_space(example.row)
    default = None if space is None else space.default()
    if default is None:
        return {}
    found: dict[str, list[float]] = {}
    for study in studies:
        for (metrics,) in ledger.execute(_STATIC, (study, default.to_json())):
            for name, value in json.loads(metrics).items():
                found.setdefault(name, []).append(value)
    return {name: statistics.fmean(values) for name, values in found.items()}


def _cost(study: StudyData, static: Mapping[str, float]) -> Cost:
    peak: float | None
    if study.supernet is None:
        seconds = study.seconds
        peak = float(study.metric(PEAK).max()) if PEAK in study.metrics else None
    else:
        seconds = study.supernet.seconds
        peak = json.loads(study.supernet.metrics).get(PEAK)
    return Cost(seconds, _ratio(seconds, static.get("seconds")), _ratio(peak, static.get(PEAK)))


def _ratio(value: float | None, whole: float | None) -> float | None:
    return value / whole if value is not None and whole else None
