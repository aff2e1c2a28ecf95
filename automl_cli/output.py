"""What a run leaves to read: the line above it, the final table, the lines to type next.

Talk goes to the standard error stream, results to standard output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from automl_algorithms.pareto import non_dominated
from automl_cli.display import say
from automl_cli.formats import decisions_text, duration, number, size
from automl_cli.progress import Finished, Progress
from automl_cli.recipe_constraints import told
from automl_cli.recipe_phases import resting
from automl_cli.shared_results import SHARED
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from automl_cli.ledger import Ledger
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.recipe import Recipe
    from automl_cli.shared_results import SharedResult
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

_SHOWN_TRIALS: Final = 5
_SHOWN_FAILURES: Final = 3
_OTHER_METRICS: Final = 6
_GAP: Final = 2  # characters between columns
_DECISIONS: Final = 20  # characters of them, at least


def announce(recipe: Recipe, space: Space, study: StudyRow, *, quiet: bool) -> None:
    """The line above a run: what is searched, how, and for how long."""
    if quiet:
        return
    what = (
        f"{len(space.points)} decision points, {size(space)}"
        if space.points
        else "a static program: one training"
    )
    goal = ", ".join(f"{o.direction} {o.metric}" for o in recipe.objectives)
    count = len(recipe.phases.all)
    phases = f" in {count} phase{'s' * (count > 1)}" * bool(count)
    say(click.style(study.name, bold=True) + f": {what}; {recipe.algorithm}{phases}; {goal}")
    if rest := resting(space, recipe.phases):
        say(f"  {rest}")


def best_rows(ledger: Ledger, study: StudyRow, objectives: list[Objective]) -> list[Finished]:
    """Completed trials, the best first; with several objectives, the Pareto front first.

    Within these the first objective decides; a larger budget comes before any smaller one. What
    the algorithm recommends comes before all others, what is outside of the constraints last.
    """
    first, found = objectives[0], ledger.study(study.name)
    recommended = None if found is None else found.recommended
    rows = [Finished.of(row) for row in ledger.trials(study.id, state="completed")]
    rows = [r for r in rows if all(o.metric in r.metrics for o in objectives)]
    front = {rows[i].id for i in pareto_front(rows, objectives)} if len(objectives) > 1 else set()
    return sorted(
        rows,
        key=lambda r: (
            r.id != recommended,
            not r.feasible,
            r.id not in front,
            -r.fidelity,
            -first.reward(r.metrics[first.metric]),
        ),
    )


def pareto_front(trials: list[Finished], objectives: list[Objective]) -> list[int]:
    """The positions of the trials that no other is better than in every objective.

    Those outside of the constraints do not count, unless all of them are.
    """
    counts = [t.feasible for t in trials]
    told = [
        [o.reward(t.metrics[o.metric]) for o in objectives] if fits or not any(counts) else []
        for t, fits in zip(trials, counts, strict=True)
    ]
    return non_dominated(told)


def table_title(study: str, trials: list[Finished], objectives: list[Objective]) -> str:
    """What the table of the best trials is called."""
    within = sum(t.feasible for t in trials)
    where = "" if within == len(trials) else f", {within or 'none'} within the constraints"
    if len(objectives) == 1:
        return f"{study}: the best of {len(trials)} completed trials{where}"
    front = len(pareto_front(trials, objectives))
    return f"{study}: {front} of {len(trials)} completed trials are on the Pareto front{where}"


def trial_table(
    trials: list[Finished], objectives: list[Objective], title: str, width: int | None = None
) -> Any:
    """A table of trials: objectives first, then their other metrics, then the decisions.

    Args:
        width: characters of the console, by default of the present one. Metrics that leave no
            room for the decisions are left out; `--json` has them.
    """
    from rich.console import Console
    from rich.table import Table

    decided = any(t.decisions != "{}" for t in trials)
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold",
                  box=None, padding=(0, 2, 0, 0), expand=decided)  # fmt: skip
    table.add_column("trial", justify="right", no_wrap=True)
    granted = any(t.budget is not None for t in trials)
    if granted:
        table.add_column("budget", justify="right", no_wrap=True)
    goals = [o.metric for o in objectives]
    fixed = _GAP * (1 + granted) + len("trial") + len("budget") * granted
    room = (Console().width if width is None else width) - fixed - _DECISIONS * decided
    shown = _fitting(trials, goals, room)
    for name in shown:
        style = "green" if name in goals else ""
        table.add_column(name, justify="right", style=style, no_wrap=True)
    if decided:  # whatever room is left
        table.add_column("decisions", overflow="ellipsis", no_wrap=True, ratio=1)
    for t in trials:
        cells = [_cell(m, t.metrics) for m in shown]
        extra = [decisions_text(t.decisions, 200)] if decided else []
        budget = ["all" if t.budget is None else f"{t.budget:g}"] if granted else []
        table.add_row(str(t.id), *budget, *cells, *extra)
    return table


def _fitting(trials: list[Finished], goals: list[str], room: int) -> list[str]:
    """The metrics to show: all objectives, and of the others the first that have room.

    What shared weights say of an objective stands beside it.
    """
    others = [m for t in trials[:1] for m in t.metrics if m not in goals]
    others.sort(key=lambda name: name not in {f"{SHARED}{goal}" for goal in goals})
    chosen = []
    for name in goals + others[:_OTHER_METRICS]:
        room -= max(len(name), *(len(_cell(name, t.metrics)) for t in trials)) + _GAP
        if room >= 0 or name in goals:
            chosen.append(name)
    return chosen


def schedule(lineage: list[Finished], objectives: list[Objective]) -> list[str]:
    """How a training came about that went through several trials: a line for each of them."""
    wide = len(str(max(t.id for t in lineage)))
    lines = []
    for t in lineage:
        to = "the end" if t.budget is None else f"{t.budget:g}"
        values = ", ".join(
            f"{o.metric} {number(t.metrics[o.metric])}" for o in objectives if o.metric in t.metrics
        )
        lines.append(f"trial {t.id:>{wide}} to {to}: {values}  {decisions_text(t.decisions, 100)}")
    return lines


def _cell(name: str, metrics: dict[str, float]) -> str:
    if name not in metrics:
        return "-"
    return duration(metrics[name]) if name == "seconds" else number(metrics[name])


def closing(
    ledger: Ledger,
    study: StudyRow,
    recipe: Recipe,
    progress: Progress,
    stopped_by: str,
    state: str,
    note: str | None,
    resume_line: str,
    supernet: SharedResult | None = None,
) -> None:
    """The end of a run: how it ended, the best trials, and the lines to type next.

    Args:
        supernet: what came before the trials, in a search by weight sharing.
    """
    from rich.console import Console

    best = best_rows(ledger, study, recipe.objectives)
    if best:
        title = table_title(study.name, best, recipe.objectives)
        table = trial_table(best[:_SHOWN_TRIALS], recipe.objectives, title)
        Console().print(table)
    if supernet is not None:
        for line in supernet.lines():
            say(line)
    counts = ", ".join(f"{n} {s}" for s, n in progress.counts.items() if n) or "no trial finished"
    endings = {
        "exhausted": "nothing is left to propose",
        "seconds": "the time is used up",
        "failures": "too many trials failed",
        "epochs": "the epochs are used up",
        "simulated_seconds": "the simulated seconds are used up",
        "trials": "",
        "": "",
    }
    how = "interrupted" if state == "interrupted" else endings[stopped_by]
    live = progress.finished - progress.resumed
    when = f" in {duration(progress.elapsed())}" if live else ", all of them in earlier runs"
    if live and progress.resumed:
        when = f", {live} of them now{when}"
    say(counts + when + (f"; {how}" if how else ""))
    if best and not best[0].feasible:
        say(f"no trial is within the constraints: {'; '.join(told(recipe.constraints))}")
    if not live and state == "completed":
        say("more: a larger --trials, or --new for another study" if supernet is None
            else "there is nothing left to do; --new starts another study")  # fmt: skip
    if state == "failed":
        reasons = dict.fromkeys(
            r.reason.partition("\n")[0] for r in ledger.trials(study.id, state="failed")
        )
        for reason in list(reasons)[:_SHOWN_FAILURES]:
            say(f"  failed: {reason}")
    if note:
        say(note)
    if state == "interrupted":
        say(click.style("resume: ", bold=True) + resume_line)
    elif best:
        say(click.style("next: ", bold=True) + f"automl best {study.name}   automl ui")
    else:  # failed trials stay failed, so that the same command would stop at once
        say(click.style("next: ", bold=True) + f"mend it, then {resume_line} --new")


def write(path: Path, text: str) -> None:
    """Write a file that the user asked for, and say so; `UserError` when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    say(f"written: {path}")


def summary(
    study: StudyRow, progress: Progress, state: str, supernet: SharedResult | None = None
) -> None:
    """The end of a run as JSON on standard output."""
    best = progress.best
    data: dict[str, Any] = {
        "study": study.name,
        "state": state,
        "counts": progress.counts,
        "rejected": progress.rejected,
        "seconds": round(progress.elapsed(), 3),
        "best": None
        if best is None
        else {"trial": best.id, "metrics": best.metrics, "decisions": json.loads(best.decisions)},
    }
    if best is not None and progress.outside:
        data["best"]["feasible"] = best.feasible
        data["outside"] = len(progress.outside)
    if supernet is not None:
        data["supernet"] = supernet.as_data()
    click.echo(json.dumps(data))
