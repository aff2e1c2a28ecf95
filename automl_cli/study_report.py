"""Studies side by side: what the ledger tells of them, grouped over seeds, as arrays."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from automl_cli.ledger_schema import StudyRow, SupernetRow, connect, explain
from automl_cli.progress import MET
from automl_cli.recipe_files import child
from automl_cli.report_curves import Floats, Integers, best_of, incumbents, taken
from automl_cli.studies import name_ending
from automl_cli.study_results import experiment_of, objectives_of
from automl_spaces.objective import Objective
from automl_spaces.yaml_reader import compose, plain

_TRIALS = """
SELECT id, state, {budget}, {parent}, metrics FROM trials
WHERE study = ? AND "order" IS NOT NULL ORDER BY "order"
"""
_DECISIONS = "SELECT decisions FROM trials WHERE study = ? AND id = ?"
_SUPERNET = """
SELECT step, steps, seconds, metrics, policy, time FROM supernets
WHERE study = ? ORDER BY step DESC LIMIT 1
"""


class Problem(NamedTuple):
    """What studies must share for their results to be compared: all but algorithm and seed."""

    name: str
    program: str
    space: str
    objectives: str


@dataclass(frozen=True, eq=False)
class StudyData:
    """One study, with its finished trials in the order of finishing.

    Attributes:
        ids: int64 [n].
        counts: finished trials by state.
        completed: bool [n], as against failed or pruned.
        budgets: float64 [n], the fidelity granted, infinite for all of it.
        parents: int64 [n], the id of the trial that it went on from, -1 for none.
        metrics: by name, float64 [n]; NaN where a trial did not tell it.
        supernet: the last record of it, in a search by weight sharing.
    """

    row: StudyRow
    objectives: list[Objective]
    counts: dict[str, int]
    ids: Integers
    completed: NDArray[np.bool_]
    budgets: Floats
    parents: Integers
    metrics: dict[str, Floats]
    supernet: SupernetRow | None = None

    def metric(self, name: str) -> Floats:
        """A metric of each trial, float64 [n]; NaN where it was not told."""
        return self.metrics.get(name, np.full(len(self.ids), np.nan))

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Trials that can be the answer of a search, bool [n]: completed, within constraints."""
        met = self.metrics.get(MET)
        return self.completed if met is None else self.completed & (met > 0)

    @cached_property
    def values(self) -> Floats:
        """The first objective of each trial that counts, float64 [n]; NaN for the others."""
        return np.where(self.counted, self.metric(self.objectives[0].metric), np.nan)

    @property
    def rewards(self) -> Floats:
        """The first objective, made to be large, float64 [n]."""
        return self.values if self.objectives[0].direction == "maximize" else -self.values

    @cached_property
    def curve(self) -> Floats:
        """The value of the best trial so far after each trial, float64 [n]."""
        return taken(self.values, incumbents(self.rewards, self.budgets))

    @cached_property
    def recommended_position(self) -> int | None:
        """Where in the arrays the trial is that the algorithm recommended; None if it did not."""
        found = np.flatnonzero(self.ids == self.row.recommended)
        return int(found[0]) if len(found) else None

    @cached_property
    def best_position(self) -> int | None:
        """Where the trial is that the search comes to; None when no trial has a result.

        It is the recommended one where there is one, otherwise that of the best value.
        """
        recommended = self.recommended_position
        return best_of(self.rewards, self.budgets) if recommended is None else recommended

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the best trial."""
        place = self.best_position
        if place is None:
            return {}
        found = {name: float(column[place]) for name, column in self.metrics.items()}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    @property
    def best_trial(self) -> int | None:
        """The id of the best trial."""
        return None if self.best_position is None else int(self.ids[self.best_position])

    @property
    def final(self) -> float:
        """The best value of all; NaN when no trial has a result."""
        return float(self.curve[-1]) if len(self.curve) else float("nan")

    @cached_property
    def seconds(self) -> float:
        """Spent in its trials, all of them added up."""
        return float(np.nansum(self.metric("seconds")))

    @property
    def supernet_seconds(self) -> float:
        """Spent on its supernet before the trials."""
        return 0.0 if self.supernet is None else self.supernet.seconds

    def cumulated(self, name: str) -> Floats:
        """A metric added up over the trials, or their count for `trials`; float64 [n].

        Simulated seconds count as in the study's own budget: a trial that went on from another
        is charged what it added, unless the recipe says `charge: scratch`. Seconds begin with
        those of the supernet.
        """
        if name == "trials":
            return np.arange(1.0, len(self.ids) + 1)
        costs = np.nan_to_num(self.metric(name))
        if name == "simulated_seconds" and self._goes_on:
            there = dict(zip(self.ids.tolist(), costs.tolist(), strict=True))
            paid = [there.get(parent, 0.0) for parent in self.parents.tolist()]
            costs = np.maximum(costs - paid, 0.0)
        return np.cumsum(costs) + (self.supernet_seconds if name == "seconds" else 0.0)

    @cached_property
    def _goes_on(self) -> bool:
        """Whether trials went on from others and were charged only what they added."""
        if not (self.parents >= 0).any():
            return False
        root = compose(self.row.recipe, f"the recipe of {self.row.name}")
        budget = child(root, "budget") if root is not None else None
        return budget is None or plain(budget).get("charge") != "scratch"

    @property
    def algorithm(self) -> str:
        """The algorithm with the options it was given."""
        options = json.loads(self.row.options)
        inside = ", ".join(f"{k}={v}" for k, v in options.items())
        return self.row.algorithm + f"({inside})" * bool(inside)

    @property
    def problem(self) -> Problem:
        """The recipe without algorithm and seed."""
        row = self.row
        ending = name_ending(row.algorithm, json.loads(row.options), row.seed)
        # A study that got its name from the recipe tells also how its space was changed.
        stem = row.name.removesuffix(ending) if row.name.endswith(ending) else experiment_of(row)
        return Problem(stem, row.program_hash, row.space_hash, row.objectives)


class Group(NamedTuple):
    """Studies that differ in their seed only. Metrics are those of each study's best trial, as
    (mean, standard deviation over seeds)."""

    name: str
    problem: Problem
    studies: list[StudyData]
    metrics: dict[str, tuple[float, float]]

    @property
    def algorithm(self) -> str:
        """The algorithm with the options it was given."""
        return self.studies[0].algorithm

    @property
    def objectives(self) -> list[Objective]:
        """What the studies are after."""
        return self.studies[0].objectives

    @property
    def trials(self) -> float:
        """Finished trials per study, on average."""
        return statistics.fmean(len(s.ids) for s in self.studies)

    @property
    def seconds(self) -> float:
        """Seconds spent in the trials of a study, on average."""
        return statistics.fmean(s.seconds for s in self.studies)

    @property
    def supernet_seconds(self) -> float | None:
        """Seconds spent on the supernet of a study, on average; None when there is none."""
        found = [s.supernet_seconds for s in self.studies if s.supernet is not None]
        return statistics.fmean(found) if found else None

    def reports(self, name: str) -> bool:
        """Whether any trial of it told this metric."""
        return any(name in s.metrics for s in self.studies)


def read(path: Path, rows: Iterable[StudyRow]) -> list[StudyData]:
    """What the ledger holds of these studies, decisions left out.

    Trials come study by study, so that a million of them are never in memory as objects.
    """
    ledger = connect(path, read_only=True)
    try:
        columns = {column[1] for column in ledger.execute("PRAGMA table_info(trials)")}
        # Ledgers from before there were budgets are only read here, never brought up to date.
        asked = {name: name if name in columns else "NULL" for name in ("budget", "parent")}
        statement = _TRIALS.format(**asked)
        return [
            _study(
                row,
                ledger.execute(statement, (row.id,)).fetchall(),
                ledger.execute(_SUPERNET, (row.id,)).fetchone(),
            )
            for row in rows
        ]
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        ledger.close()


def read_decisions(path: Path, trials: Iterable[tuple[StudyData, int]]) -> list[dict[str, Any]]:
    """The decisions of some trials, each given as its study and its position in the arrays."""
    ledger = connect(path, read_only=True)
    try:
        keys = [(study.row.id, int(study.ids[place])) for study, place in trials]
        found = [ledger.execute(_DECISIONS, key).fetchone()[0] for key in keys]
        return [json.loads(text) for text in found]
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        ledger.close()


def grouped(studies: Sequence[StudyData]) -> list[Group]:
    """Groups in the order of their first studies."""
    members: dict[tuple[Problem, str], list[StudyData]] = {}
    for study in studies:
        members.setdefault((study.problem, study.algorithm), []).append(study)
    taken_names: set[str] = set()
    groups = []
    for (problem, algorithm), found in members.items():
        name = f"{problem.name} {algorithm}"
        if name in taken_names:  # another program, space or objective under the same name
            name += f" [{found[0].row.name}]"
        taken_names.add(name)
        groups.append(Group(name, problem, found, _moments(found)))
    return groups


def _study(
    row: StudyRow, trials: Sequence[tuple[Any, ...]], supernet: tuple[Any, ...] | None
) -> StudyData:
    told = json.loads("[" + ",".join([metrics for *_, metrics in trials]) + "]")
    names = dict.fromkeys(name for metrics in told for name in metrics)
    states = [state for _, state, *_ in trials]
    return StudyData(
        row,
        objectives_of(row),
        {state: states.count(state) for state in dict.fromkeys(states)},
        np.array([t[0] for t in trials], dtype=np.int64),
        np.array([state == "completed" for state in states], dtype=np.bool_),
        np.array([np.inf if t[2] is None else t[2] for t in trials], dtype=np.float64),
        np.array([-1 if t[3] is None else t[3] for t in trials], dtype=np.int64),
        {n: np.array([m.get(n, np.nan) for m in told], dtype=np.float64) for n in names},
        None if supernet is None else SupernetRow._make(supernet),
    )


def _moments(studies: Sequence[StudyData]) -> dict[str, tuple[float, float]]:
    found: dict[str, list[float]] = {}
    for study in studies:
        for name, value in study.best.items():
            found.setdefault(name, []).append(value)
    return {
        name: (statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)
        for name, values in found.items()
    }
