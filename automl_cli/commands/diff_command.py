"""`automl diff`: see what a switch of program, space or algorithm means, and make it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl_cli.commands.options import changes, complete_recipes, json_option, recipe_argument

if TYPE_CHECKING:
    from automl_cli.recipe_diff import RecipeDiff


@click.command()
@recipe_argument
@click.argument("other", required=False, shell_complete=complete_recipes)
@changes
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the switched recipe.")
@click.option("--run", "run_it", is_flag=True, help="Run the switched recipe at once.")
@json_option
@click.pass_context
def diff_command(
    ctx: click.Context,
    recipe: str,
    other: str | None,
    algorithm: str | None,
    space: tuple[str, ...],
    settings: tuple[str, ...],
    output: Path | None,
    run_it: bool,
    as_json: bool,
) -> int:
    """Compare RECIPE with OTHER, or with itself after a switch.

    \b
    automl diff static.yaml s1.yaml
    automl diff s1.yaml --algorithm bayesian -o s1_bayesian.yaml
    automl diff s1.yaml --space +overlays/mobilenet_s2 --run
    """
    from automl_cli.output import write
    from automl_cli.recipe import load_recipe
    from automl_cli.recipe_diff import as_json as diff_json
    from automl_cli.recipe_diff import compare
    from automl_spaces.errors import UserError

    if other is None and algorithm is None and not space and not settings:
        raise UserError("compare with what?", hint="another recipe, or --algorithm, or --space")
    if (output or run_it) and other is not None:
        raise UserError("--output and --run make a switch: give --algorithm or --space")
    if output and settings:
        raise UserError("--output writes a switch of --algorithm or --space", hint="edit the rest")
    old = load_recipe(recipe)
    new = load_recipe(other or recipe, algorithm=algorithm, space=space, settings=settings)
    text = None
    if other is None:
        from automl_cli.recipe_edit import switched

        text = switched(old.path, algorithm, space, output)
    if output is not None and text is not None:
        write(output, text)
        new = load_recipe(str(output), path=output.resolve())
    found = compare(old, new, text, settings)
    if as_json:
        click.echo(diff_json(found))
    else:
        _print(found)
    if run_it:
        from automl_cli.commands.run_command import run_command

        arguments = [str(output) if output else recipe]
        if output is None:
            arguments += ["--algorithm", algorithm] if algorithm else []
            arguments += [part for name in space for part in ("--space", name)]
            arguments += [part for each in settings for part in ("--set", each)]
        code = run_command.main(arguments, prog_name="automl run", standalone_mode=False)
        return code if isinstance(code, int) else 0
    return 0


def _print(found: RecipeDiff) -> None:
    from automl_cli.formats import size

    for section, rows in found.sections.items():
        click.echo(click.style(section, bold=True))
        wide = min(max(len(path) for path, _, _ in rows), 44)
        for path, old, new in rows:
            minus = click.style(old, fg="red") if old else ""
            plus = click.style(new, fg="green") if new else ""
            arrow = f"{minus} -> {plus}" if old and new else (f"+ {plus}" if new else f"- {minus}")
            click.echo(f"  {path:<{wide}}  {arrow}")
    if not found.sections:
        click.echo("no difference")
    added, removed = len(found.added), len(found.removed)
    overlays = "overlays  +{} -{}   ".format(*found.overlays) if any(found.overlays) else ""
    points = [len(s.points) for s in found.spaces]
    click.echo(
        click.style("lines", bold=True)
        + f"  +{added} -{removed}   "
        + overlays
        + click.style("points", bold=True)
        + f"  {points[0]} -> {points[1]}   "
        + click.style("space", bold=True)
        + f"  {size(found.spaces[0])} -> {size(found.spaces[1])}"
    )
