"""`automl report`: studies side by side, as a table, as pictures, as one HTML file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from automl_cli.commands.options import complete_studies, json_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl_cli.study_report import Group, StudyData
    from automl_spaces.objective import Objective

_SHOWN_METRICS: Final = 5


@click.command()
@click.argument("studies", nargs=-1, shell_complete=complete_studies)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write one HTML file.")
@click.option("--png", "folder", type=click.Path(path_type=Path), help="Write the plots as PNG.")
@json_option
def report_command(
    studies: tuple[str, ...], output: Path | None, folder: Path | None, as_json: bool
) -> None:
    """Compare STUDIES: names, or the beginnings of names; all of them by default.

    Studies that differ in their seed only are one row: mean and standard deviation over seeds of
    the metrics of each study's best trial.
    """
    from automl_cli.ledger import Ledger
    from automl_cli.studies import ledger_path, matching
    from automl_cli.study_report import as_data, grouped, read
    from automl_spaces.errors import UserError

    with Ledger(ledger_path(), read_only=True) as ledger:
        found = [read(ledger, row) for row in matching(ledger, studies)]
    found = [s for s in found if s.values]
    if not found:
        raise UserError("no trial of these studies has finished")
    groups = grouped(found)
    if as_json:
        click.echo(json.dumps(as_data(groups)))
    else:
        for members in by_goal(groups).values():
            _print(members)
    pictures = _pictures(groups) if output or folder else {}
    if folder is not None:
        _write_png(folder, pictures)
    if output is not None:
        _write_html(output, groups, pictures)


def by_goal(groups: Sequence[Group]) -> dict[Objective, list[Group]]:
    """Groups that are after the same can be compared."""
    found: dict[Objective, list[Group]] = {}
    for group in groups:
        found.setdefault(group.studies[0].objectives[0], []).append(group)
    return found


def rows_of(
    groups: Sequence[Group], most: int = _SHOWN_METRICS
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table, as texts, with at most so many metrics."""
    from automl_cli.formats import duration, number

    goal = groups[0].studies[0].objectives[0].metric
    others = [m for m in groups[0].metrics if m not in (goal, "seconds")]
    metrics = [goal, *others[: most - 1]]

    def cell(group: Group, name: str) -> str:
        if name not in group.metrics:
            return "-"
        mean, spread = group.metrics[name]
        return number(mean) + (f" ± {spread:.2g}" if len(group.studies) > 1 and spread else "")

    head = ["recipe and algorithm", "seeds", "trials", *metrics, "time in trials"]
    rows = [
        [g.name, str(len(g.studies)), f"{g.trials:g}", *[cell(g, m) for m in metrics],
         duration(g.seconds)]
        for g in groups
    ]  # fmt: skip
    return head, rows


def _print(groups: Sequence[Group]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for most in range(_SHOWN_METRICS, 0, -1):  # as many metrics as the terminal has room for
        head, rows = rows_of(groups, most)
        wide = sum(max(map(len, column)) + 2 for column in zip(head, *rows, strict=True))
        if wide <= console.width:
            break
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for i, name in enumerate(head):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=i > 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _pictures(groups: Sequence[Group]) -> dict[str, dict[str, Figure]]:
    """Figures by section and name: the comparison, then each study's own."""
    from automl_cli import plots

    sections: dict[str, dict[str, Figure]] = {}
    for goal, members in by_goal(groups).items():
        curves = {g.name: [plots.best_so_far(s.values, goal) for s in g.studies] for g in members}
        figure = plots.comparison(curves, goal, f"Best {goal.metric} so far")
        sections.setdefault("comparison", {})[goal.metric] = figure
    for group in groups:
        for study in group.studies:
            sections[study.row.name] = _study_pictures(study)
    return sections


def _study_pictures(study: StudyData) -> dict[str, Figure]:
    from automl_algorithms.pareto import non_dominated
    from automl_cli import importances, plots

    first = study.objectives[0]
    figures: dict[str, Any] = {"search": plots.search_curve(study.values, first)}
    told = [(d, v) for d, v in zip(study.decisions, study.values, strict=True) if v is not None]
    weights = importances.importances([d for d, _ in told], [v for _, v in told], first)
    if weights:
        figures["importance"] = plots.importances(weights)
    if any(study.decisions):
        order = [*weights, *(k for k in study.decisions[0] if k not in weights)]
        sorted_records = [{k: d[k] for k in order if k in d} for d in study.decisions]
        figures["decisions"] = plots.slices(sorted_records, study.values, first)
    if len(study.objectives) > 1:
        a, b = study.objectives[:2]
        pairs = [
            (m[a.metric], m[b.metric])
            for m, v in zip(study.metrics, study.values, strict=True)
            if v is not None and b.metric in m
        ]
        best = non_dominated([(a.reward(x), b.reward(y)) for x, y in pairs])
        figures["pareto"] = plots.pareto_front(pairs, best, (a, b))
    return figures


def _write_png(folder: Path, pictures: dict[str, dict[str, Figure]]) -> None:
    from automl_cli.report_html import png

    for section, figures in pictures.items():
        for name, figure in figures.items():
            path = folder / section.replace("/", "-") / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(figure))
            click.echo(f"written: {path}", err=True)


def _write_html(
    output: Path, groups: Sequence[Group], pictures: dict[str, dict[str, Figure]]
) -> None:
    from automl_cli import report_html

    sections = {
        name: [report_html.png(f) for f in figures.values()] for name, figures in pictures.items()
    }
    summary = "".join(report_html.table(*rows_of(g)) for g in by_goal(groups).values())
    output.write_text(report_html.page("automl report", summary, sections), encoding="utf-8")
    click.echo(f"written: {output}", err=True)
