"""`automl score`: what studies found, judged by the program of another recipe."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from automl_cli.commands.options import complete_recipes, complete_studies, json_option

if TYPE_CHECKING:
    from automl_cli.published_networks import Cell
    from automl_cli.recipe import Recipe
    from automl_cli.score import Moments, Scored


def _limits(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Any:
    """`flops=137.2` by name."""
    found = {}
    for value in values:
        metric, _, amount = value.partition("=")
        try:
            found[metric] = float(amount.replace(",", ""))
        except ValueError:
            found[metric] = math.nan
        if not metric or math.isnan(found[metric]):
            raise click.BadParameter(f"{value!r} is no limit: flops=137.2, say")
    return found


@click.command()
@click.argument("studies", nargs=-1, shell_complete=complete_studies)
@click.option(
    "--on",
    "judge",
    metavar="RECIPE",
    shell_complete=complete_recipes,
    help="The recipe that judges; it has the same decision points.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change any key of that recipe, such as program.data=cifar100.",
)
@click.option(
    "--regret",
    metavar="METRIC",
    help="How far each is below the best network there is; for recipes that look results up.",
)
@click.option(
    "--within",
    "limits",
    multiple=True,
    metavar="METRIC=LIMIT",
    callback=_limits,
    help="The best among the networks within this limit, such as flops=137.2. Repeatable.",
)
@click.option("--published", is_flag=True, help="Look up the networks of published searches too.")
@json_option
def score_command(
    studies: tuple[str, ...],
    judge: str | None,
    settings: tuple[str, ...],
    regret: str | None,
    limits: dict[str, float],
    published: bool,
    as_json: bool,
) -> int:
    """Judge the best networks of STUDIES (names, or the beginnings of names) by another recipe.

    \b
    automl score cells-topology --on nats/topology
    automl score size-tas --on nats/size --within flops=137.2
    automl score --published
    """
    from automl_cli.ledger import Ledger
    from automl_cli.published_networks import looked_up
    from automl_cli.recipe import load_recipe
    from automl_cli.score import Judge, scored
    from automl_cli.studies import ledger_path, matching
    from automl_spaces.errors import UserError

    if judge is None and (studies or not published):
        raise UserError("by what are they to be judged?", hint="--on nats/topology")
    if judge is not None and not studies and not published:
        raise UserError("which studies?", hint="automl list studies")
    recipe = None if judge is None else load_recipe(judge, settings=settings)
    cells = looked_up(*_table_of(recipe)) if published else []
    found: list[Scored] = []
    if recipe is not None and studies:
        by = regret or (recipe.objectives[0].metric if limits else None)
        with Ledger(ledger_path(), read_only=True) as ledger:
            rows = matching(ledger, studies)
            with TemporaryDirectory() as folder:
                found = scored(ledger, rows, Judge(recipe, Path(folder)), by, limits)
    if as_json:
        click.echo(json.dumps(_data(recipe, found, cells)))
    else:
        _print(found, cells)
    return 0


def _table_of(recipe: Recipe | None) -> tuple[str, str | None, str | None]:
    """The source, the space and the data set that a recipe looks up; all of them without one.

    Raises:
        UserError: it looks nothing up of which results were published.
    """
    from automl_cli.programs.tabular_nats import TabularNATS
    from automl_spaces.errors import UserError

    if recipe is None:
        return "auto", None, None
    program = recipe.program
    if program.type.target is not TabularNATS:
        raise UserError(
            f"{recipe.name} looks up no table that published networks are in",
            recipe.marks.get("program"),
            path="program",
            hint="--on nats/topology or nats/size, or --published alone",
        )
    sizes = program.get("model").get("widths") is not None
    return program.get("source"), "size" if sizes else "topology", program.get("data")


def _data(recipe: Recipe | None, found: list[Scored], cells: list[Cell]) -> dict[str, Any]:
    from automl_cli.score import moments

    data: dict[str, Any] = {}
    if recipe is not None:
        data["on"] = recipe.name
        data["studies"] = [each._asdict() for each in found]
        data["groups"] = moments(found)
    if cells:
        data["published"] = [{**cell._asdict(), "agrees": cell.agrees} for cell in cells]
    return data


def _print(found: list[Scored], cells: list[Cell]) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a file has room for whole names
        console = Console(width=160)
    if found:
        console.print(_studies(found))
        console.print()
        console.print(_groups(found))
    if found and cells:
        console.print()
    if cells:
        console.print(_published(cells))
        for note in dict.fromkeys(cell.note for cell in cells if cell.note):
            console.print(f"* {note}", style="dim", highlight=False)


def _studies(found: list[Scored]) -> Any:
    from automl_cli.formats import decisions_text, number

    names = list(dict.fromkeys(name for each in found for name in each.scores))
    table = _lines("", "study", "its own", *names)
    table.expand = True
    table.add_column("network", overflow="ellipsis", no_wrap=True, ratio=1)
    for each in found:
        scores = [number(each.scores[n]) if n in each.scores else "-" for n in names]
        own = f"{each.metric} {number(each.value)}"
        table.add_row(each.study, own, *scores, decisions_text(each.decisions, 200))
    return table


def _groups(found: list[Scored]) -> Any:
    from automl_cli.score import moments

    groups = moments(found)
    names = list(dict.fromkeys(name for metrics in groups.values() for name in metrics))
    table = _lines("Mean and population standard deviation", "", "studies", *names)
    for group, metrics in groups.items():
        count = sum(each.group == group for each in found)
        cells = [_pair(metrics[name]) if name in metrics else "-" for name in names]
        for i, name in enumerate(names):
            if name in metrics and metrics[name].seeds < count:
                cells[i] += f" (of {metrics[name].seeds})"
        table.add_row(group, str(count), *cells)
    return table


def _published(cells: list[Cell]) -> Any:
    verdicts = {True: "yes", False: "no", None: "-"}
    head = ("published search", "metric", "seeds", "published", "looked up", "agrees")
    table = _lines("Published networks, looked up", *head)
    for cell in cells:
        found = "-" if cell.looked_up is None else _pair(cell.looked_up, 2)
        verdict = verdicts[cell.agrees] + "*" * bool(cell.note)
        seeds = str(len(cell.networks))
        name = f"{cell.name} ({cell.problem})"
        table.add_row(name, cell.metric, seeds, _pair(cell.published, 2), found, verdict)
    return table


def _pair(moments: Moments, decimals: int | None = None) -> str:
    from automl_cli.formats import number

    mean, spread, _ = moments
    if decimals is None:
        return f"{number(mean)} ± {number(spread)}"
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def _lines(title: str, *head: str) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title=title or None,
                  title_justify="left", title_style="bold")  # fmt: skip
    for i, name in enumerate(head):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
    return table
