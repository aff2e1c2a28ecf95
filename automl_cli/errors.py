"""How mistakes are shown: where, what, what was probably meant, and the line itself."""

from __future__ import annotations

from typing import Final

import click

from automl_spaces.errors import AutomlError, Mark, Problem

INTERRUPTED: Final = 130  # exit code: as shells give it to what SIGINT ended


def show(error: AutomlError) -> None:
    """Print every problem of an error to the standard error stream."""
    for problem in error.problems:
        click.echo(render(problem), err=True)


def render(problem: Problem) -> str:
    """One problem as text: `file:line:column: key: message (hint)`, and the line with a caret."""
    head = click.style("error: ", fg="red", bold=True) if problem.mark is None else ""
    text = head + str(problem)
    excerpt = _excerpt(problem.mark) if problem.mark else ""
    return f"{text}\n{excerpt}" if excerpt else text


def _excerpt(mark: Mark) -> str:
    from pathlib import Path

    from automl_cli.recipe_files import recipes_root

    if not mark.line:
        return ""
    for base in (Path.cwd(), recipes_root().parent):
        path = base / mark.file
        try:
            line = path.read_text(encoding="utf-8").splitlines()[mark.line - 1]
        except (OSError, IndexError, UnicodeDecodeError):
            continue
        shown = line.expandtabs(1)[:160].rstrip()
        indent = len(shown) - len(shown.lstrip())
        caret = " " * max(mark.column - 1 - indent, 0)
        return f"      {shown[indent:]}\n      {caret}^"
    return ""
