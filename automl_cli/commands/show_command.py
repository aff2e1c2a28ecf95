"""`automl show`: what a recipe says, checked, without running anything."""

from __future__ import annotations

import json
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
    from automl_cli.recipe import load_recipe
    from automl_spaces.space import Space

    loaded = load_recipe(recipe, algorithm=algorithm, space=space, settings=settings)
    compiled = Space.compile(loaded.template)
    if compiled.points:
        from automl_cli.checks import checked_algorithm

        checked_algorithm(loaded, compiled)
    if as_yaml:
        from automl_spaces.yaml_writer import dump

        click.echo(dump(loaded.as_data()), nl=False)
    elif as_json:
        click.echo(json.dumps(_data(loaded, compiled)))
    else:
        _print(loaded, compiled, points)


def static_costs(recipe: Recipe, space: Space) -> dict[str, float]:
    """The recipe's costs of the static program, if there is one."""
    from automl_cli import costs
    from automl_cli.recipe import static_program

    program = static_program(recipe, space)
    return {} if program is None else {name: costs.load(name)(program) for name in recipe.costs}


def _data(recipe: Recipe, space: Space) -> dict[str, Any]:
    from automl_spaces.json_form import to_data

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
        "costs": static_costs(recipe, space),
        "constraints": recipe.constraints,
        "objectives": [{o.direction: o.metric} for o in recipe.objectives],
        "algorithm": {"name": recipe.algorithm, **recipe.options},
        "budget": recipe.budget,
        "run": recipe.run,
    }


def _print(recipe: Recipe, space: Space, every_point: bool) -> None:
    from automl_cli.formats import number, size
    from automl_cli.recipe_files import shown
    from automl_cli.tree_text import folded_points, tree

    def title(text: str, rest: str = "") -> None:
        click.echo(click.style(text, bold=True) + rest)

    title(recipe.name, "  " + " + ".join(shown(f) for f in [*recipe.files, *recipe.overlays]))
    if recipe.doc:
        click.echo("  " + recipe.doc.strip().replace("\n", "\n  "))
    title("program")
    for line in tree(recipe.program, indent="  "):
        click.echo(line)
    what = f"  {len(space.points)} decision points, {size(space)}"
    title("space", what if space.points else "  none: one training of the static program")
    rows = folded_points(space)
    if every_point:
        rows = [(p.id, p.describe(), 1) for p in space.points]
    wide = max((len(name) for name, _, _ in rows), default=0)
    for name, choices, times in rows:
        click.echo(f"  {name:<{wide}}  {choices}" + (f"  x{times}" if times > 1 else ""))
    costs = ", ".join(f"{k} {number(v)}" for k, v in static_costs(recipe, space).items())
    if costs:
        title("costs", f"  of the static program: {costs}")
    for name, (low, high) in recipe.constraints.items():
        title("constraint", f"  {number(low)} <= {name} <= {number(high)}")
    options = ", ".join(f"{k}: {v}" for k, v in recipe.options.items())
    title("algorithm", f"  {recipe.algorithm}" + f" ({options})" * bool(options))
    title("objective", "  " + ", ".join(f"{o.direction} {o.metric}" for o in recipe.objectives))
    limits = {k: v for k, v in recipe.budget.items() if v is not None and k != "charge"}
    budget = ", ".join(f"{v:g} {k}" for k, v in limits.items())
    title("budget", "  " + (budget or "none"))
