"""What studies found, judged by the program of another recipe: by a table, say.

A study's best record is materialised in the space of the other recipe, which has the same
decision points, and evaluated once, in this process.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from automl_cli.cost_book import CostBook
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.output import best_rows
from automl_cli.progress import Finished
from automl_cli.recipe import Recipe
from automl_cli.study_report import grouped, read
from automl_cli.study_results import objectives_of
from automl_cli.trial_run import run_trial
from automl_cli.trials import TrialRequest
from automl_spaces.decisions import Decisions
from automl_spaces.errors import AutomlError, UserError, did_you_mean
from automl_spaces.space import Space

REGRET: Final = "regret"
PATIENCE: Final = 600.0
"""Seconds that it may take to look at a whole space."""
FIRST: Final = 10  # networks, or
FIRST_SECONDS: Final = 5.0  # after which it is known how long one takes

Limits = Mapping[str, float]
"""By metric, the largest value that counts."""


class Moments(NamedTuple):
    """Mean and population standard deviation, as NATS-Bench tells them, over so many studies."""

    mean: float
    spread: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Moments:
        """Of at least one value."""
        return cls(statistics.fmean(values), statistics.pstdev(values), len(values))


class Scored(NamedTuple):
    """A study's best network.

    Args:
        group: the study's recipe and algorithm.
        value: of the study's own objective, which is `metric`.
        decisions: the record.
        scores: what the other recipe says of it, by metric.
    """

    group: str
    study: str
    trial: int
    metric: str
    value: float
    decisions: dict[str, Any]
    scores: dict[str, float]


class Judge:
    """A recipe of which only the space and the program matter.

    Args:
        folder: where its program may write.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self._folder = recipe, folder / "trial"
        self.space = Space.compile(recipe.template)
        self._book = CostBook(recipe.costs)

    def score(self, study: str, decisions: str) -> dict[str, float]:
        """The metrics and costs of a record of some study.

        Raises:
            UserError: the space has other decision points.
            AutomlError: the program failed.
        """
        try:
            record = self.space.decode(decisions)
        except UserError as error:
            reasons = "; ".join(problem.message for problem in error.problems[:3])
            raise UserError(
                f"{study} ended with a record that {self.recipe.name} has no place for: {reasons}",
                hint="--on takes a recipe over the same space",
            ) from None
        return self._evaluate(record)

    def best(self, metric: str, limits: Limits) -> float:
        """The best value of a metric in the whole space; as the objective, it is good if large.

        Raises:
            UserError: there is no such metric, no network within the limits, or too much to do.
        """
        goal = self.recipe.objectives[0]._replace(metric=metric)
        best: float | None = None
        quickest, began = PATIENCE, time.monotonic()
        for done, record in enumerate(self.space.enumerate()):
            start = time.monotonic()
            found = self._evaluate(record)
            quickest = min(quickest, time.monotonic() - start)
            for name in (metric, *limits):
                if name not in found:
                    raise UserError(
                        f"{self.recipe.name} tells no {name}", hint=did_you_mean(name, found)
                    )
            within = all(found[name] <= limit for name, limit in limits.items())
            if within and (best is None or goal.better(found[metric], best)):
                best = found[metric]
            known = done == FIRST or time.monotonic() - began > FIRST_SECONDS
            if known and quickest * (self.space.size - done) > PATIENCE:
                raise UserError(
                    f"the best of {self.space.size:,.0f} programs would take too long to find",
                    hint="a regret is for recipes that look their results up, such as nats/size",
                )
        if best is None:
            raise UserError(f"no network of {self.recipe.name} is within {_shown(limits)}")
        return best

    def _evaluate(self, record: Decisions) -> dict[str, float]:
        recipe = self.recipe
        program = self.space.materialise(record)
        request = TrialRequest(0, 1, program, {}, recipe.seed, None, self._folder)
        metrics = [o.metric for o in recipe.objectives if o.metric not in recipe.costs]
        result = run_trial(request, metrics, lambda step, values: None)
        shutil.rmtree(self._folder, ignore_errors=True)
        if result.state != "completed":
            raise AutomlError(f"{self.recipe.name} failed: {result.reason}")
        return {**self._book.of(program), **result.metrics}


def scored(
    ledger: Ledger,
    rows: Sequence[StudyRow],
    judge: Judge,
    regret: str | None = None,
    limits: Limits | None = None,
) -> list[Scored]:
    """The best network of each study.

    Args:
        regret: a metric of which to tell how far below the best of the space each one is. A
            network beyond the limits has none.

    Raises:
        UserError: a study without a completed trial; see `Judge`.
        AutomlError: see `Judge`.
    """
    limits = limits or {}
    best = None if regret is None else judge.best(regret, limits)
    groups = {
        member.row.id: group.name
        for group in grouped(read(ledger.path, rows))
        for member in group.studies
    }
    found = [_scored(ledger, row, groups[row.id], judge) for row in rows]
    for each in found:
        within = all(each.scores[name] <= limit for name, limit in limits.items())
        if regret is not None and best is not None and within:
            each.scores[REGRET] = abs(best - each.scores[regret])
    return found


def _scored(ledger: Ledger, row: StudyRow, group: str, judge: Judge) -> Scored:
    objectives = objectives_of(row)
    chosen = chosen_trial(ledger, row)
    metric = objectives[0].metric
    scores = judge.score(row.name, chosen.decisions)
    decisions: dict[str, Any] = json.loads(chosen.decisions)
    return Scored(group, row.name, chosen.id, metric, chosen.metrics[metric], decisions, scores)


def chosen_trial(ledger: Ledger, row: StudyRow) -> Finished:
    """The trial that a study ends with, as `automl best` has it.

    Raises:
        UserError: no trial has completed.
    """
    ranked = best_rows(ledger, row, objectives_of(row))
    if not ranked:
        raise UserError(f"no trial of {row.name} has completed")
    return ranked[0]


def moments(found: Iterable[Scored]) -> dict[str, dict[str, Moments]]:
    """By group and metric, over the studies that have it."""
    groups: dict[str, dict[str, list[float]]] = {}
    for each in found:
        values = groups.setdefault(each.group, {})
        for name, value in {f"own {each.metric}": each.value, **each.scores}.items():
            values.setdefault(name, []).append(value)
    return {
        group: {name: Moments.of(values) for name, values in metrics.items()}
        for group, metrics in groups.items()
    }


def _shown(limits: Limits) -> str:
    return ", ".join(f"{name}={limit:g}" for name, limit in limits.items())
