"""What searches cost, in trainings of the static program, as the ledger tells it."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from automl_cli.ledger_schema import connect, explain
from automl_cli.peak_memory import PEAK
from automl_cli.study_report import StudyData
from automl_cli.study_results import known_space

_STATIC: Final = """
SELECT metrics FROM trials
WHERE study = ? AND state = 'completed' AND budget IS NULL AND decisions = ?
"""


class Cost(NamedTuple):
    """What a search cost.

    Args:
        seconds: of its supernet, training and derivation; otherwise of all its trials.
        trainings: the same in trainings of the static program; None when that was not trained.
        memory: MB (10^6 bytes) that it needed at its peak above what its process had before; of
            trials what they tell as the metric `peak_memory_mb`. None where it is not recorded.
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


def _static(ledger: sqlite3.Connection, example: StudyData, studies: Iterable[int]) -> float | None:
    """Seconds of the static program's trainings, averaged; None when there are none."""
    space = known_space(example.row)
    default = None if space is None else space.default()
    if default is None:
        return None
    found = [
        json.loads(metrics).get("seconds")
        for study in studies
        for (metrics,) in ledger.execute(_STATIC, (study, default.to_json()))
    ]
    known = [seconds for seconds in found if seconds is not None]
    return statistics.fmean(known) if known else None


def _cost(study: StudyData, static: float | None) -> Cost:
    peak: float | None
    if study.supernet is None:
        seconds = study.seconds
        peak = float(study.metric(PEAK).max()) if PEAK in study.metrics else None
    else:
        seconds = study.supernet.seconds
        peak = json.loads(study.supernet.metrics).get(PEAK)
    return Cost(seconds, seconds / static if static else None, peak)
