"""All numbers of a report: per group and across groups, as values and as JSON data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from automl_algorithms.pareto import MOST_GROWING
from automl_cli import report_published
from automl_cli.report_algorithms import AlgorithmRow, algorithm_rows
from automl_cli.report_budget import AtBudget, Budget, at_budget
from automl_cli.report_costs import costs
from automl_cli.report_curves import QUANTILES, Band, band
from automl_cli.report_fronts import Front, fronts, growth, points_of
from automl_cli.report_published import Published
from automl_cli.report_ranks import Ranks, mean_ranks
from automl_cli.report_supernets import Supernet, supernets
from automl_cli.report_targets import Reached, reached
from automl_cli.study_report import Group
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.objective import Objective


class Wishes(NamedTuple):
    """What was asked for; the options of `automl report`, see there."""

    x: str = "trials"
    target: float | None = None
    reference: tuple[float, ...] | None = None
    at: Budget | None = None
    values: tuple[str, ...] = ()
    published: Path | None = None
    algorithms: bool = False


class Entry(NamedTuple):
    """The numbers of one group. None stands for what was not asked for or does not apply.

    `supernets` are those of its studies, by the studies' ids, in searches by weight sharing.
    """

    group: Group
    band: Band
    reached: Reached | None
    front: Front | None
    at: AtBudget | None
    published: Published | None
    supernets: dict[int, Supernet]


class Report(NamedTuple):
    """Entries in the order of their groups, and what is told across them.

    Args:
        ranks: of the algorithms that ran.
        algorithms: all there are, if they were asked for.
    """

    wishes: Wishes
    entries: list[Entry]
    ranks: Ranks | None
    algorithms: list[AlgorithmRow] | None


def build(groups: Sequence[Group], wishes: Wishes, ledger: Path) -> Report:
    """Compute what was asked for.

    Args:
        ledger: that the groups were read from.

    Raises:
        UserError: when a metric is asked for that no trial told, or an option does not apply.
    """
    metrics = {name for group in groups for study in group.studies for name in study.metrics}
    named = [(wishes.x, "--x")] + [(name, "--value") for name in wishes.values]
    named += [(wishes.at.metric, "--at")] if wishes.at else []
    for name, option in named:
        if name not in {*metrics, "trials"}:
            hint = did_you_mean(name, {*metrics, "trials"})
            raise UserError(f"{option}: no trial tells {name}", hint=hint)
    if wishes.target is not None and len(by_goal(groups)) > 1:
        names = ", ".join(f"{o.direction} {o.metric}" for o in by_goal(groups))
        raise UserError(f"--target is for one objective, and there are {names}",
                        hint="name the studies that share one")  # fmt: skip
    rows = _published(groups, wishes)
    found = _fronts(groups, wishes)
    studies = [study for group in groups for study in group.studies]
    asked = [s for s in studies if wishes.algorithms or s.supernet is not None]
    spent = costs(ledger, asked, studies) if asked else {}
    shared = supernets(ledger, asked, spent) if asked else {}
    entries = [
        Entry(
            group,
            _band(group, wishes.x),
            None if wishes.target is None else reached(group, wishes.target),
            found.get(group.name),
            *_at(group, row, wishes),
            {s.row.id: shared[s.row.id] for s in group.studies if s.row.id in shared},
        )
        for group, row in zip(groups, rows, strict=True)
    ]
    algorithms = None
    if wishes.algorithms:
        algorithms = algorithm_rows([(s.row.algorithm, spent[s.row.id]) for s in asked])
    return Report(wishes, entries, mean_ranks(groups), algorithms)


def by_goal(groups: Iterable[Group]) -> dict[Objective, list[Group]]:
    """Groups that are after the same can be compared."""
    found: dict[Objective, list[Group]] = {}
    for group in groups:
        found.setdefault(group.objectives[0], []).append(group)
    return found


def _band(group: Group, x: str) -> Band:
    told = [s for s in group.studies if x == "trials" or x in s.metrics]
    return band([s.cumulated(x) for s in told], [s.curve for s in told])


def _published(groups: Sequence[Group], wishes: Wishes) -> list[Published | None]:
    if wishes.published is None:
        rows = report_published.shipped()
    else:
        rows = report_published.load(wishes.published)
    found = [report_published.match(rows, group) for group in groups]
    if wishes.published is not None and not any(found):
        raise UserError(
            f"{wishes.published} has no row for any of these studies",
            hint="recipe, algorithm and options must fit: docs/report.md",
        )
    return found


def _fronts(groups: Sequence[Group], wishes: Wishes) -> dict[str, Front]:
    """The fronts by group. The same objectives have the same reference."""
    alike: dict[tuple[Objective, ...], list[Group]] = {}
    for group in groups:
        alike.setdefault(tuple(group.objectives), []).append(group)
    several = [members for goals, members in alike.items() if len(goals) > 1]
    if wishes.reference is not None and not several:
        raise UserError("--reference is for studies with several objectives, and these have one")
    return {
        group.name: front
        for members in several
        for group, front in zip(members, fronts(members, wishes.reference), strict=True)
    }


def _at(
    group: Group, row: Published | None, wishes: Wishes
) -> tuple[AtBudget | None, Published | None]:
    """The values at a budget, and the published row if it is for the same budget."""
    budget = wishes.at or (row.at if row else None)
    row = row if row and row.at == budget else None
    if budget is None or not (budget.metric == "trials" or group.reports(budget.metric)):
        return None, None
    names = wishes.values or (tuple(row.values) if row else (group.objectives[0].metric,))
    names = tuple(name for name in names if group.reports(name))
    return (at_budget(group, budget, names), row) if names else (None, None)


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON data; what is not finite is null."""
    ranks, algorithms = report.ranks, report.algorithms
    wishes = report.wishes
    data = {
        "x": wishes.x,
        "target": wishes.target,
        "groups": [_group_data(entry) for entry in report.entries],
        "ranks": None if ranks is None else ranks._asdict(),
        "algorithms": None if algorithms is None else [row.as_data() for row in algorithms],
    }
    plain: dict[str, Any] = _finite(data)
    return plain


def _group_data(entry: Entry) -> dict[str, Any]:
    group, at, front, found = entry.group, entry.at, entry.front, entry.reached
    return {
        "group": group.name,
        "recipe": group.problem.name,
        "algorithm": group.algorithm,
        "objectives": [{"metric": o.metric, "direction": o.direction} for o in group.objectives],
        "studies": [_study_data(entry, place) for place in range(len(group.studies))],
        "trials": group.trials,
        "seconds": group.seconds,
        "supernet_seconds": group.supernet_seconds,
        "metrics": {k: {"mean": m, "std": s} for k, (m, s) in group.metrics.items()},
        "curve": {
            "x": entry.band.x.tolist(),
            **{f"{q:g}": v.tolist() for q, v in zip(QUANTILES, entry.band.levels, strict=True)},
        },
        "reached": found
        and {"share": found.share, "median": {cost: found.median(cost) for cost in found.until}},
        "front": front
        and {
            "points": front.points,
            "reference": front.reference,
            "hypervolume": _pair(front.moments()) if len(front.volumes) else None,
        },
        "at": at
        and {
            **at.budget._asdict(),
            "short": at.short,
            "metrics": {name: _pair(at.moments(name)) for name in at.values},
        },
        "published": entry.published
        and {
            "name": entry.published.name,
            "source": entry.published.source,
            "metrics": {name: _pair(pair) for name, pair in entry.published.values.items()},
        },
    }


def _study_data(entry: Entry, place: int) -> dict[str, Any]:
    study, at, front, found = entry.group.studies[place], entry.at, entry.front, entry.reached
    supernet = entry.supernets.get(study.row.id)
    data = {
        "name": study.row.name,
        "seed": study.row.seed,
        "state": study.row.state,
        "counts": study.counts,
        "best_trial": study.best_trial,
        "best": study.best,
        "seconds": study.seconds,
        "supernet": supernet and supernet.as_data(),
    }
    if found:
        data["reached"] = {cost: float(until[place]) for cost, until in found.until.items()}
    if at:
        data["at"] = {name: float(values[place]) for name, values in at.values.items()}
    if front:
        data["front"] = front.sizes[place]
        data["hypervolume"] = float(front.volumes[place]) if len(front.volumes) else None
        goals = entry.group.objectives
        if front.reference is not None and len(goals) <= MOST_GROWING:
            points = points_of(study, goals)
            data["hypervolume_curve"] = growth(points, goals, front.reference)
    return data


def _pair(moments: tuple[float, float]) -> dict[str, float]:
    return dict(zip(("mean", "std"), moments, strict=True))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
