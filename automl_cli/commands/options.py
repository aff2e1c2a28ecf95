"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def complete_recipes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Recipe names, files and folders that begin so."""
    import glob
    from pathlib import Path

    from automl_cli.recipe_files import SUFFIXES, shipped_recipes

    there = sorted(glob.glob(glob.escape(incomplete) + "*"))  # noqa: PTH207 - as it was typed
    files = [p for p in there if p.endswith(SUFFIXES)]
    folders = [f"{p}/" for p in there if Path(p).is_dir()]
    return files + folders + [n for n in shipped_recipes() if n.startswith(incomplete)]


def complete_algorithms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Algorithm names that begin so."""
    from automl_algorithms.catalogue import names

    return [n for n in names() if n.startswith(incomplete)]


def complete_spaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Overlay names that begin so, with the sign that was typed."""
    from automl_cli.recipe_files import shipped_overlays

    sign = incomplete[:1] if incomplete[:1] in "+-" else ""
    return [sign + n for n in shipped_overlays() if (sign + n).startswith(incomplete)]


def complete_studies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Study names that begin so."""
    from automl_cli.studies import ledger_path

    if not ledger_path().exists():
        return []
    from automl_cli.ledger import Ledger

    with Ledger(ledger_path(), read_only=True) as ledger:
        return [s.name for s in ledger.studies() if s.name.startswith(incomplete)]


def changes(command: F) -> F:
    """`--algorithm`, `--space`, `--set`: the changes that a command line makes to a recipe."""
    for option in reversed(
        [
            click.option(
                "-a",
                "--algorithm",
                metavar="NAME",
                shell_complete=complete_algorithms,
                help="Another algorithm; with options: '{name: evolution, population: 20}'.",
            ),
            click.option(
                "-s",
                "--space",
                multiple=True,
                metavar="OVERLAY",
                shell_complete=complete_spaces,
                help="Another space; +OVERLAY adds one, -OVERLAY takes one away, none clears.",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="PATH=VALUE",
                help="Change any key, such as program.epochs=2 or budget.trials=50.",
            ),
        ]
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
recipe_argument = click.argument("recipe", shell_complete=complete_recipes)
