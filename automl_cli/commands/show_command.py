"""`automl show`: what a recipe says, checked, without running anything."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from automl_cli.commands.options import changes, json_option, recipe_argument

if TYPE_CHECKING:
    from automl_cli.recipe import Recipe
    from automl_spaces.space import Space


@click.command()
@recipe_argument
@changes
@click.option("--points", is_flag=True, help="Every decision point on a line of its own.")
@click.option("--yaml", "as_yaml", is_flag=True, help="The whole recipe as one YAML text.")
@json_option
def show_command(
    recipe: str,
    algorithm: str | None,
    space: tuple[str, ...],
    settings: tuple[str, ...],
    points: bool,
    as_yaml: bool,
    as_json: bool,
) -> None:
    """Show RECIPE's program, decision points, size of the space and costs; validates it."""
    from automl_cli.recipe_text import checked_recipe, lines

    loaded, compiled = checked_recipe(recipe, algorithm=algorithm, space=space, settings=settings)
    if as_yaml:
        from automl_spaces.yaml_writer import dump

        click.echo(dump(loaded.as_data()), nl=False)
    elif as_json:
        click.echo(json.dumps(_data(loaded, compiled)))
    else:
        bold = partial(click.style, bold=True)
        for line in lines(loaded, compiled, every_point=points, bold=bold):
            click.echo(line)


def _data(recipe: Recipe, space: Space) -> dict[str, Any]:
    from automl_cli.recipe_text import static_costs
    from automl_spaces.json_form import to_data

    data = recipe.as_data()
    return {
        "name": recipe.name,
        "files": [str(f) for f in [*recipe.files, *recipe.overlays]],
        "program": to_data(recipe.program),
        "points": [
            {"id": p.id, "kind": p.kind, "choices": p.describe(), "cardinality": p.cardinality}
            for p in space.points
        ],
        "size": None if space.size == float("inf") else space.size,
        "space_hash": space.hash,
        "costs": static_costs(recipe, space)[0],
        "constraints": data["constraints"] if recipe.constraints else {},
        "phases": recipe.phases.as_data(),
        "objectives": [{o.direction: o.metric} for o in recipe.objectives],
        "algorithm": {"name": recipe.algorithm, **recipe.options},
        "budget": recipe.budget,
        "run": recipe.run,
    }
