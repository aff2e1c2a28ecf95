"""`automl report`: studies side by side, as tables, as pictures, as one HTML file."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl_cli.commands.options import complete_studies, json_option

if TYPE_CHECKING:
    from automl_cli.report_data import Report
    from automl_cli.report_pictures import Sections
    from automl_cli.report_tables import Table
    from automl_cli.study_report import StudyData


def _budget(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """`simulated_seconds=20000` as its two parts."""
    if value is None:
        return None
    metric, _, amount = value.partition("=")
    try:
        number = float(amount.replace(",", ""))
    except ValueError:
        number = math.nan
    if not metric or not 0 < number < math.inf:
        raise click.BadParameter(f"{value!r} is no budget: simulated_seconds=20000, say")
    return metric, number


def _point(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """`0.5,200` as a tuple of finite numbers."""
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise click.BadParameter(f"{value!r} is no point: 0.5,200, say")
    return numbers


@click.command()
@click.argument("studies", nargs=-1, shell_complete=complete_studies)
@click.option(
    "--x",
    default="trials",
    show_default=True,
    metavar="METRIC",
    help="X axis of the curves: trials, or a metric added up over them, such as seconds.",
)
@click.option(
    "--target",
    type=float,
    metavar="VALUE",
    help="How many seeds reach this value of the objective, and after how much.",
)
@click.option(
    "--at",
    metavar="METRIC=AMOUNT",
    callback=_budget,
    help="Values at exactly this budget, as NATS-Bench does.",
)
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="METRIC",
    help="With --at: what to look up instead of the objective. Repeatable.",
)
@click.option(
    "--published",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Published results to print beside ours, instead of those that ship.",
)
@click.option(
    "--reference",
    metavar="A,B,...",
    callback=_point,
    help="Where the hypervolume is measured from; the worst values seen by default.",
)
@click.option(
    "--algorithms",
    is_flag=True,
    help="Which decisions each algorithm accepts, and what its searches here cost.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write one HTML file.")
@click.option("--png", "folder", type=click.Path(path_type=Path), help="Write the plots as PNG.")
@click.option("--mlflow", is_flag=True, help="Log the report to MLflow, as a run named report.")
@click.option("--tracking-uri", metavar="URI", help="MLflow server or database.")
@json_option
def report_command(
    studies: tuple[str, ...],
    x: str,
    target: float | None,
    at: tuple[str, float] | None,
    values: tuple[str, ...],
    published: Path | None,
    reference: tuple[float, ...] | None,
    algorithms: bool,
    output: Path | None,
    folder: Path | None,
    mlflow: bool,
    tracking_uri: str | None,
    as_json: bool,
) -> int:
    """Compare STUDIES: names, or the beginnings of names; all of them by default.

    Studies that differ in their seed only are one row: mean and standard deviation over seeds of
    the metrics of each study's best trial.
    """
    from automl_cli.report_budget import Budget
    from automl_cli.report_data import Wishes, as_data, build
    from automl_cli.studies import ledger_path
    from automl_cli.study_report import grouped
    from automl_spaces.errors import UserError

    found = _studies(studies, maybe_none=algorithms)
    if not found and not algorithms:
        raise UserError("no trial of these studies has finished")
    budget = None if at is None else Budget(*at)
    wishes = Wishes(x, target, reference, budget, values, published, algorithms)
    report = build(grouped(found), wishes, ledger_path())
    if as_json:
        click.echo(json.dumps(as_data(report)))
    else:
        _print(report)
    return _write(report, output, folder, tracking_uri, mlflow=mlflow)


def _studies(names: tuple[str, ...], *, maybe_none: bool) -> list[StudyData]:
    """The studies of these names that have a finished trial."""
    from automl_cli.ledger import Ledger
    from automl_cli.studies import ledger_path, matching
    from automl_cli.study_report import read

    if maybe_none and not names and not ledger_path().exists():
        return []
    with Ledger(ledger_path(), read_only=True) as ledger:
        rows = matching(ledger, names)
    return [study for study in read(ledger_path(), rows) if len(study.ids)]


def _print(report: Report) -> None:
    from rich.console import Console

    from automl_cli.report_tables import SHOWN_METRICS, further_tables, main_tables

    console = Console()
    if not console.is_terminal:  # a file has room for whole names
        console = Console(width=160)
    widest = [main_tables(report, most) for most in range(SHOWN_METRICS, 0, -1)]
    for choices in zip(*widest, strict=True):  # as many metrics as the terminal has room for
        _print_table(console, next((t for t in choices if _width(t) <= console.width), choices[-1]))
    for number, table in enumerate(further_tables(report)):
        if number or report.entries:
            console.print()
        _print_table(console, table)


def _width(table: Table) -> int:
    return sum(max(map(len, column)) + 2 for column in zip(table.head, *table.rows, strict=True))


def _print_table(console: Any, table: Table) -> None:
    from rich.table import Table as Lines

    lines = Lines(box=None, padding=(0, 2, 0, 0), header_style="bold", title=table.title or None,
                  title_justify="left", title_style="bold")  # fmt: skip
    for i, name in enumerate(table.head):
        lines.add_column(name, justify="left" if i < table.names else "right", no_wrap=i > 0)
    for row in table.rows:
        lines.add_row(*row)
    console.print(lines)
    if table.note:
        console.print(table.note, style="dim", highlight=False)


def _write(
    report: Report,
    output: Path | None,
    folder: Path | None,
    tracking_uri: str | None,
    *,
    mlflow: bool,
) -> int:
    """Files and MLflow, if asked for; returns the exit code."""
    from automl_cli.report_pictures import pictures
    from automl_cli.studies import ledger_path

    if not (output or folder or mlflow):
        return 0
    sections = pictures(report, ledger_path())
    page = _page(report, sections)
    if folder is not None:
        for path, picture in _files(sections).items():
            _save(folder / path, picture)
        click.echo(f"written: {len(_files(sections))} pictures in {folder}", err=True)
    if output is not None:
        _save(output, page.encode())
        click.echo(f"written: {output}", err=True)
    if not mlflow:
        return 0
    from automl_cli.mlflow_report import log_report

    done, trouble = log_report(
        report.entries, {"report.html": page.encode(), **_files(sections)}, tracking_uri
    )
    for experiment in done:
        click.echo(f"in MLflow: the run report of the experiment {experiment}", err=True)
    if trouble:
        click.echo(f"the report is not in MLflow: {trouble}", err=True)
    return 1 if trouble else 0


def _page(report: Report, sections: Sections) -> str:
    from automl_cli import report_html
    from automl_cli.report_tables import further_tables, main_tables

    tables = main_tables(report) + further_tables(report)
    summary = "".join(report_html.table(t.head, t.rows, t.title, t.note, t.names) for t in tables)
    return report_html.page("automl report", summary, sections)


def _files(sections: Sections) -> dict[str, bytes]:
    """The pictures by relative path: section/name.png."""
    return {
        f"{_file_name(section)}/{_file_name(name)}.png": picture
        for section, made in sections.items()
        for name, picture in made.items()
    }


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.+=-]+", "-", text).strip("-.") or "_"


def _save(path: Path, content: bytes) -> None:
    from automl_spaces.errors import UserError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
