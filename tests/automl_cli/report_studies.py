"""Studies for the tests of reports, made without a ledger or written into one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.study_report import Group, StudyData, grouped
from automl_spaces.objective import Objective

NAN = float("nan")


def row(
    name: str = "study",
    seed: int = 0,
    algorithm: str = "random",
    options: Mapping[str, Any] | None = None,
    space: str = "space",
    goals: Sequence[Objective] = (Objective("m"),),
) -> StudyRow:
    """A study named after its recipe, algorithm and seed; with options by the user."""
    objectives = json.dumps([{"metric": o.metric, "direction": o.direction} for o in goals])
    environment = json.dumps({"experiment": name})
    title = "-".join([name, algorithm, str(seed), *(options or {})])
    return StudyRow(
        seed, title, f"uid of {title}", 0.0, "{}", "{}", space,
        "program", algorithm, json.dumps(dict(options or {})), objectives, seed, environment,
        "completed",
    )  # fmt: skip


def study(values: Sequence[float], about: StudyRow | None = None, **columns: Any) -> StudyData:
    """A study whose trials have these values of the first objective, NaN for a failed one.

    Args:
        columns: further metrics, and `budgets` and `parents`.
    """
    about = about or row()
    goals = [Objective(**goal) for goal in json.loads(about.objectives)]
    count = len(values)
    budgets = np.array(columns.pop("budgets", [np.inf] * count), np.float64)
    parents = np.array(columns.pop("parents", [-1] * count), np.int64)
    metrics = {goals[0].metric: values, **columns}
    return StudyData(
        about,
        goals,
        {"completed": count},
        np.arange(1, count + 1),
        np.isfinite(np.array(values, np.float64)),
        budgets,
        parents,
        {name: np.array(column, np.float64) for name, column in metrics.items()},
    )


def group(*seeds: Sequence[float], **about: Any) -> Group:
    """A group of one study per sequence of values."""
    (made,) = grouped([study(v, row(seed=i, **about)) for i, v in enumerate(seeds)])
    return made


def record(
    path: Path,
    about: StudyRow,
    trials: Sequence[Mapping[str, float]],
    decisions: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write a completed study into a ledger; a trial without metrics failed."""
    fields = {
        k: v
        for k, v in about._asdict().items()
        if k not in ("id", "uid", "created", "state", "recommended")
    }
    with Ledger(path) as ledger:
        made = ledger.create_study(**fields)
        for number, metrics in enumerate(trials, 1):
            decided = decisions[number - 1] if decisions else {"x": number, "y": number % 3}
            ledger.propose(made.id, number, json.dumps(decided))
            state = "completed" if metrics else "failed"
            ledger.finish(made.id, number, 1, state, json.dumps(dict(metrics)))
        ledger.set_study_state(made.id, "completed")
