"""The pictures of a report, as PNG, by section and name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from automl_cli import importances, plots, plots_comparison
from automl_cli.report_data import Entry, Report, by_goal
from automl_cli.report_fronts import front_of, points_of
from automl_cli.report_html import png
from automl_cli.study_report import Problem, StudyData, read_decisions
from automl_spaces.objective import Objective

MANY: Final = 5  # studies of a group, beyond which they are drawn as one
_LINES: Final = 7  # in one picture
_POOLED: Final = 1000  # trials of a group whose decisions are rated

Sections = dict[str, dict[str, bytes]]


def pictures(report: Report, ledger: Path) -> Sections:
    """The comparison, then a section per study, or per group when it has many."""
    sections: Sections = {"comparison": _comparison(report)}
    for entry in report.entries:
        if len(entry.group.studies) > MANY:
            sections[entry.group.name] = _group(entry, report.wishes.x, ledger)
        else:
            for study in entry.group.studies:
                sections[study.row.name] = _study(study, ledger)
    return {name: made for name, made in sections.items() if made}


def _comparison(report: Report) -> dict[str, bytes]:
    x, target = report.wishes.x, report.wishes.target
    axis = "trial" if x == "trials" else x
    made: dict[str, bytes] = {}
    for title, goal, entries in _together(report.entries):
        curves = {_label(e, entries): e.band for e in entries}
        made[title] = png(plots_comparison.bands(curves, goal, axis, f"{title}: best so far"))
        there = {_label(e, entries): e.reached for e in entries if e.reached and e.reached.share}
        for cost in dict.fromkeys(c for r in there.values() for c in r.until):
            spent = {name: r.until[cost] for name, r in there.items() if cost in r.until}
            figure = plots_comparison.reached(spent, cost, f"{title}: {target:g} reached")
            made[f"{title}, target by {cost}"] = png(figure)
    made |= _fronts(report) | _published(report)
    if report.ranks:
        made["ranks"] = png(plots_comparison.ranks(report.ranks.mean, report.ranks.blocks))
    return made


def _label(entry: Entry, shown: Sequence[Entry]) -> str:
    """A group in a picture, by its algorithm alone where all are of one recipe."""
    alike = len({e.group.problem for e in shown}) == 1 < len(shown)
    seeds = len(entry.group.studies)
    name = entry.group.algorithm if alike else entry.group.name
    return name + (f", {seeds} seeds" if seeds > 1 else "")


def _together(entries: Sequence[Entry]) -> list[tuple[str, Objective, list[Entry]]]:
    """Which curves share a picture: those after one goal if they are few, else those of one recipe.

    Recipes that several algorithms ran have a picture of their own in any case, because the
    values of different recipes may be far apart.
    """
    made = []
    of = {entry.group.name: entry for entry in entries}
    for goal, groups in by_goal(e.group for e in entries).items():
        members = [of[g.name] for g in groups]
        by_problem: dict[Problem, list[Entry]] = {}
        for entry in members:
            by_problem.setdefault(entry.group.problem, []).append(entry)
        several = {p: found for p, found in by_problem.items() if len(found) > 1}
        if len(by_problem) > 1:
            made += [(f"{p.name}, {goal.metric}", goal, found) for p, found in several.items()]
            if len(members) > _LINES:
                members = [e for e in members if e.group.problem not in several]
        starts = range(0, len(members), _LINES)
        for start in starts:
            title = goal.metric + (f" {start // _LINES + 1}" if len(starts) > 1 else "")
            made.append((title, goal, members[start : start + _LINES]))
    return made


def _fronts(report: Report) -> dict[str, bytes]:
    made = {}
    found = [e for e in report.entries if e.front and len(e.group.objectives) == 2]
    for goals in dict.fromkeys(tuple(e.group.objectives) for e in found):
        mine = {e.group.name: e.front for e in found if tuple(e.group.objectives) == goals}
        points = {name: front.points for name, front in mine.items() if front}
        reference = next(front.reference for front in mine.values() if front)
        figure = plots_comparison.fronts(points, (goals[0], goals[1]), reference)
        made[f"fronts-{goals[0].metric}-{goals[1].metric}"] = png(figure)
    return made


def _published(report: Report) -> dict[str, bytes]:
    """A picture per published problem and metric."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in report.entries:
        if entry.at and entry.published:
            for name in entry.at.values.keys() & entry.published.values.keys():
                pair = entry.at.moments(name), entry.published.values[name]
                label = f"{entry.published.name}: {entry.group.algorithm}"
                rows.setdefault((entry.published.problem, name), {})[label] = pair
    return {
        f"{problem}, {name}": png(plots_comparison.beside_published(pairs, name, problem))
        for (problem, name), pairs in sorted(rows.items())
    }


def _group(entry: Entry, x: str, ledger: Path) -> dict[str, bytes]:
    """The seeds of a group as one."""
    group = entry.group
    goal = group.objectives[0]
    axis = "trial" if x == "trials" else x
    title = f"Best so far: median, half and nine tenths of {len(group.studies)} seeds"
    made = {
        "best so far": plots_comparison.bands(
            {group.name: entry.band}, goal, axis, title, wide=True
        ),
        "final values": plots_comparison.finals([s.final for s in group.studies], goal),
    }
    weights, _ = _importances(group.studies, goal, ledger)
    if weights:
        made["importance"] = plots.importances(weights, "Importance, trials of all seeds")
    return {name: png(figure) for name, figure in made.items()}


def _study(study: StudyData, ledger: Path) -> dict[str, bytes]:
    goal = study.objectives[0]
    values = _without_nan(study)
    figures: dict[str, Any] = {"search": plots.search_curve(values, goal)}
    weights, decisions = _importances([study], goal, ledger)
    if weights:
        figures["importance"] = plots.importances(weights)
    if any(decided for decided, _ in decisions):
        order = [*weights, *(k for k in decisions[0][0] if k not in weights)]
        sorted_records = [{k: d[k] for k in order if k in d} for d, _ in decisions]
        figures["decisions"] = plots.slices(sorted_records, [v for _, v in decisions], goal)
    if len(study.objectives) > 1:
        pair = (study.objectives[0], study.objectives[1])
        points = [(p[0], p[1]) for p in points_of(study, pair)]
        front = {*front_of(points, pair)}
        best = [place for place, point in enumerate(points) if point in front]
        figures["pareto"] = plots.pareto_front(points, best, pair)
    return {name: png(figure) for name, figure in figures.items()}


def _without_nan(study: StudyData) -> list[float | None]:
    return [None if math.isnan(value) else value for value in study.values.tolist()]


def _importances(
    studies: Sequence[StudyData], goal: Objective, ledger: Path
) -> tuple[dict[str, float], list[tuple[dict[str, Any], float]]]:
    """Importances over the trials of these studies, evenly thinned, and (decisions, value) each."""
    told = [(s, i) for s in studies for i, v in enumerate(_without_nan(s)) if v is not None]
    kept = told[:: math.ceil(len(told) / _POOLED) or 1]
    decisions = read_decisions(ledger, kept)
    values = [float(study.values[place]) for study, place in kept]
    weights = importances.importances(decisions, values, goal)
    return weights, list(zip(decisions, values, strict=True))
