"""A recipe as `automl show` prints it.

The command that answers questions has to be quick. So neither this nor what it imports knows
click, dataclasses or inspect: each takes about as long to import as a recipe takes to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from automl_cli.checks import check_on_paper, shaping_options, shares_weights
from automl_cli.formats import number, size
from automl_cli.recipe import Recipe, load_recipe, static_program
from automl_cli.recipe_files import shown
from automl_cli.tree_text import folded_points, tree
from automl_spaces.space import Space


def checked_recipe(name: str, **changes: Any) -> tuple[Recipe, Space]:
    """A recipe and its space, checked as far as that goes without running anything.

    Args:
        name: of the recipe.
        changes: as `load_recipe` takes them.

    Raises:
        UserError: every mistake found.
    """
    recipe = load_recipe(name, **changes)
    space = Space.compile(recipe.template)
    if space.points:
        check_on_paper(recipe, space)
    return recipe, space


def static_costs(recipe: Recipe, space: Space) -> tuple[dict[str, float], str]:
    """The recipe's costs of the static program, if there is one, or why that cannot be run."""
    from automl_cli import costs

    program = static_program(recipe, space)
    if program is None:
        return {}, ""
    try:
        return {name: costs.load(name)(program) for name in recipe.costs}, ""
    except costs.Infeasible as error:
        return {}, str(error)


def lines(
    recipe: Recipe,
    space: Space,
    *,
    every_point: bool = False,
    bold: Callable[[str], str] = str,
) -> Iterator[str]:
    """What a person wants to know of a recipe, line by line.

    Args:
        recipe: the recipe.
        space: its space.
        every_point: give every decision point a line of its own.
        bold: how titles are set off.
    """
    files = " + ".join(shown(f) for f in [*recipe.files, *recipe.overlays])
    yield f"{bold(recipe.name)}  {files}"
    if recipe.doc:
        yield "  " + recipe.doc.strip().replace("\n", "\n  ")
    yield bold("program")
    yield from tree(recipe.program, indent="  ")
    what = f"{len(space.points)} decision points, {size(space)}"
    yield f"{bold('space')}  {what if space.points else 'none: one training of the static program'}"
    rows = folded_points(space)
    if every_point:
        rows = [(p.id, p.describe(), 1) for p in space.points]
    wide = max((len(name) for name, _, _ in rows), default=0)
    for name, choices, times in rows:
        yield f"  {name:<{wide}}  {choices}" + (f"  x{times}" if times > 1 else "")
    known, why = static_costs(recipe, space)
    costs = ", ".join(f"{k} {number(v)}" for k, v in known.items())
    if costs or why:
        yield f"{bold('costs')}  of the static program: {costs or f'it cannot be run: {why}'}"
    if recipe.constraints:
        from automl_cli.recipe_constraints import told

        for constraint in told(recipe.constraints):
            yield f"{bold('constraint')}  {constraint}"
        yield from _where_rewards_act(recipe)
    options = ", ".join(f"{k}: {v}" for k, v in recipe.options.items())
    yield f"{bold('algorithm')}  {recipe.algorithm}" + f" ({options})" * bool(options)
    if recipe.phases.once:
        yield from _phases(recipe, space, bold)
    objectives = ", ".join(f"{o.direction} {o.metric}" for o in recipe.objectives)
    yield f"{bold('objective')}  {objectives}"
    limits = {k: v for k, v in recipe.budget.items() if v is not None and k != "charge"}
    if space.points and shares_weights(recipe):
        yield f"{bold('sharing')}  {_sharing(recipe)}"
        limits.pop("trials", None)  # their number follows from what is derived
    elif recipe.phases.once and "trials" not in limits:
        limits["trials"] = recipe.phases.trials
    budget = ", ".join(f"{v:g} {k}" for k, v in limits.items())
    yield f"{bold('budget')}  {budget or 'none'}"


def _where_rewards_act(recipe: Recipe) -> Iterator[str]:
    """What becomes of the rewards of constraints where no trial is told them."""
    if not shares_weights(recipe) or not any(c.reward for c in recipe.constraints.values()):
        return
    options = shaping_options(recipe) | recipe.options
    if {"shape", "beta"} <= options.keys():
        yield f"  as {recipe.algorithm}'s shape: {options['shape']}, beta: {options['beta']:g}"
    else:
        yield f"  {recipe.algorithm} holds the bounds by its own options; rewards act in trials"


def _phases(recipe: Recipe, space: Space, bold: Callable[[str], str]) -> Iterator[str]:
    """What is searched when, and what never."""
    from automl_algorithms.phased import opened
    from automl_cli.recipe_phases import resting

    phases, shared = recipe.phases, shares_weights(recipe)
    again = f", {phases.repeat} times in turn" * (phases.repeat > 1)
    share = "equal shares of the steps"
    yield f"{bold('phases')}  {share if shared else f'{phases.trials} trials'}{again}"
    found = opened(space, phases.once)
    for phase, indices in zip(phases.once, found, strict=True):
        points = f"{len(indices)} decision point{'s' * (len(indices) != 1)}"
        trials = "" if shared else f", {phase.trials} trials"
        yield f"  {', '.join(phase.decide)}: {points}{trials}"
    if rest := resting(space, phases):
        yield f"  {rest}"


def _sharing(recipe: Recipe) -> str:
    """What comes before the trials, and which these are."""
    epochs, derived, compared = (recipe.sharing[key] for key in ("epochs", "derived", "compare"))
    epochs = recipe.program.args.get("epochs") if epochs is None else epochs
    trained = [f"{derived} derived record{'s' * (derived != 1)}"]
    trained = ["the static program"] * recipe.baseline + trained
    trained += [f"{compared} random one{'s' * (compared != 1)}"] * bool(compared)
    long = "" if epochs is None else f" for {epochs} epochs"
    return f"one supernet is trained{long}; then, from scratch: {', '.join(trained)}"
