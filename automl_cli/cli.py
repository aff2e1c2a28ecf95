"""The command line: a table of commands, each imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Final

import click

from automl_cli import __version__
from automl_cli.broken_pipe import quiet_when_unread

COMMANDS: Final = {
    "run": "Run a recipe: search, or train once when it has no space.",
    "diff": "Show what changes between recipes, or make a switch of space or algorithm.",
    "show": "Show a recipe's program, decision points and the size of its space; validates it.",
    "best": "Print the best program, write it as a static recipe, or train it again.",
    "report": "Compare studies: tables over seeds, curves, an HTML file.",
    "score": "Judge what studies found by another recipe: by a table, or beside published results.",
    "list": "List algorithms, programs, recipes, overlays, costs or studies.",
    "sync": "Project studies from the ledger into MLflow again.",
    "ui": "Open the MLflow UI on what the recipes used.",
    "init": "Write a recipe and a program to start from.",
    "schema": "Print a JSON Schema of recipes, for editors.",
    "completion": "Print the shell's completion script.",
}


class LazyGroup(click.Group):
    """Knows the commands by name and one line each, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"automl_cli.commands.{cmd_name}_command")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name where there is no such command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from automl_spaces.errors import did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"there is no command {args[0]}" + f" ({hint})" * bool(hint))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; it ends quietly when nobody reads its output."""
        with quiet_when_unread():
            return super().invoke(ctx)
        return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table itself: no command is imported for its help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done; 1 the search failed; 2 your mistake; 130 interrupted, state saved.",
)
@click.version_option(__version__, prog_name="automl")
def cli() -> Any:
    """Search over a static program: the program, the space and the algorithm are three lines.

    \b
    automl run first_run      a search that trains real networks, in a minute or two
    automl run first_run -a bayesian        the same with another algorithm
    automl ui                               the results in MLflow
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code. Errors that click knows are shown."""
    try:
        code = cli.main(args=arguments, prog_name="automl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        from automl_cli.errors import INTERRUPTED

        click.echo("interrupted", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else 0
