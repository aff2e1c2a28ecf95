"""What the run of a study shows of the search as a whole: a note, figures, a table of all trials.

No MLflow in here: texts and figures are made from the ledger's rows.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from automl_algorithms.pareto import non_dominated
from automl_cli import plots, plots_policy
from automl_cli.importances import importances
from automl_cli.ledger_schema import StudyRow, SupernetRow, TrialRow
from automl_cli.mlflow_records import (
    best,
    candidates,
    numbers,
    objectives,
    point_ids,
    values,
)
from automl_cli.policies import read_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTE_LIMIT: Final = 5000  # MySQL's tag columns are the shortest that MLflow supports
_COLUMNS: Final = 8
_FIGURE_TRIALS: Final = 2000  # of which the decisions are drawn


def note(study: StudyRow, trials: Sequence[TrialRow]) -> str:
    """The summary in Markdown: where the search stands, the best trials, what to type next."""
    goals = objectives(study)
    top = best(trials, goals, 10)
    failed = sum(t.state == "failed" for t in trials)
    pruned = sum(t.state == "pruned" for t in trials)
    aside = [f"{failed} failed"] * bool(failed) + [f"{pruned} pruned"] * bool(pruned)
    counted = f"{len(trials)} trials" + (f" ({', '.join(aside)})" if aside else "")
    lines = [f"**{study.name}**: {study.state}, {counted}, algorithm `{study.algorithm}`", ""]
    if top:
        found = values(top[0], goals)
        assert found is not None
        reached = ", ".join(f"{g.metric} {v:.6g}" for g, v in zip(goals, found, strict=True))
        which = "Best" if len(goals) == 1 else "First of the Pareto front"
        lines += [f"{which}: **{reached}**, trial {top[0].id}", ""]
    elif any(t.state == "completed" for t in trials):
        lines += ["No trial is within the constraints.", ""]
    commands = ["", "```", *next_lines(study), "```"]
    table = _table(top, [g.metric for g in goals])
    while len(table) > 2 and len("\n".join([*lines, *table, *commands])) > _NOTE_LIMIT:
        table.pop()
    return "\n".join([*lines, *(table if len(table) > 2 else []), *commands])


def next_lines(study: StudyRow) -> list[str]:
    """What to type next, one command a line."""
    name = shlex.quote(study.name)
    return [
        f"automl best {name}      # the best program, as a static recipe",
        f"automl report {name}    # curves and tables",
        f"automl sync {name}      # bring this page up to date",
    ]


def trials_csv(trials: Sequence[TrialRow]) -> str:
    """All trials as a table: for fast searches only a sample of them has runs of its own."""
    return _csv([_record(trial) for trial in trials])


def supernet_csv(study: StudyRow, rows: Sequence[SupernetRow]) -> str:
    """The training of a supernet as a table: metrics, and the probability of every candidate.

    The columns of a decision are `id=candidate`.
    """
    records = []
    for row in rows:
        record = {"step": row.step, "seconds": round(row.seconds, 3), **numbers(row.metrics)}
        for index, chances in read_policy(row.policy).items():
            id, labels = _named(study, index, len(chances))
            record |= {f"{id}={k}": p for k, p in zip(labels, chances, strict=True)}
        records.append(record)
    return _csv(records)


def policy_figure(study: StudyRow, rows: Sequence[SupernetRow]) -> Figure:
    """How the policy of a supernet came to be."""
    policies = [read_policy(row.policy) for row in rows]
    decisions = {i: _named(study, i, len(chances)) for i, chances in policies[-1].items()}
    steps = [row.step for row in rows]
    return plots_policy.policy(steps, policies, decisions, f"{study.name}: policy")


def _named(study: StudyRow, index: int, size: int) -> tuple[str, list[str]]:
    """What a decision point and its candidates are called; numbers, if that is not recorded."""
    ids, labels = point_ids(study), candidates(study)
    known = labels[index] if index < len(labels) else []
    places = [str(place) for place in range(size)]
    return ids[index] if index < len(ids) else str(index), known if len(known) == size else places


def _csv(records: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def figures(study: StudyRow, trials: Sequence[TrialRow]) -> dict[str, Figure]:
    """Figures by file name: the search curve, the front, importances and slices of decisions."""
    goals = objectives(study)
    if not trials:
        return {}
    rated = [values(t, goals) if t.state == "completed" else None for t in trials]
    made: dict[str, Figure] = {}
    for number, goal in enumerate(goals):
        name = "search" if len(goals) == 1 else f"search_{number + 1}"
        curve = [None if v is None else v[number] for v in rated]
        made[f"{name}.png"] = plots.search_curve(curve, goal, study.name)
    if len(goals) == 2:
        pairs = [(v[0], v[1]) for v in rated if v is not None]
        rewards = [tuple(g.reward(x) for g, x in zip(goals, pair, strict=True)) for pair in pairs]
        made["pareto_front.png"] = plots.pareto_front(
            pairs, non_dominated(rewards), (goals[0], goals[1]), study.name
        )
    return {**made, **_decision_figures(study, trials, rated)}


def _decision_figures(
    study: StudyRow, trials: Sequence[TrialRow], rated: Sequence[list[float] | None]
) -> dict[str, Figure]:
    goal = objectives(study)[0]
    stride = math.ceil(len(trials) / _FIGURE_TRIALS)
    found = [(t, v[0]) for t, v in list(zip(trials, rated, strict=True))[::stride] if v]
    decisions: list[dict[str, Any]] = [json.loads(t.decisions) for t, _ in found]
    heights = [v for _, v in found]
    made: dict[str, Figure] = {}
    weights = importances(decisions, heights, goal)
    if weights:
        made["importances.png"] = plots.importances(weights, f"{study.name}: importance")
        ordered = [*weights, *(k for d in decisions for k in d)]
        decisions = [{k: d[k] for k in dict.fromkeys(ordered) if k in d} for d in decisions]
    if any(decisions) and len(found) > 1:
        made["decisions.png"] = plots.slices(decisions, heights, goal, f"{study.name}: decisions")
    return made


def _table(trials: Sequence[TrialRow], first: Sequence[str]) -> list[str]:
    records = []
    for trial in trials:
        metrics, decisions = numbers(trial.metrics), json.loads(trial.decisions)
        goals = {name: metrics.pop(name) for name in first}
        records.append({"trial": trial.id, **goals, **decisions, **metrics})
    columns = list(dict.fromkeys(key for record in records for key in record))[:_COLUMNS]
    lines = [_row(columns), _row(["---"] * len(columns))]
    return lines + [_row([_text(r.get(c, "")) for c in columns]) for r in records]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", " ")


def _record(trial: TrialRow) -> dict[str, Any]:
    return {
        "trial": trial.id,
        "order": trial.order,
        "state": trial.state,
        **json.loads(trial.decisions),
        **numbers(trial.costs),
        **numbers(trial.metrics),
        "reason": trial.reason.partition("\n")[0],
    }
