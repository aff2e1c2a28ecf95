"""What can be checked of a recipe beyond its text: by `automl show`, and before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from automl_algorithms import catalogue
from automl_algorithms.contract import check_capabilities
from automl_spaces.errors import Mark, Problems, UserError

if TYPE_CHECKING:
    from automl_algorithms.contract import Algorithm
    from automl_algorithms.weight_sharing.search import SupernetSearch
    from automl_cli.recipe import Recipe
    from automl_spaces.space import Space


def shares_weights(recipe: Recipe) -> bool:
    """Whether the recipe's algorithm searches a supernet, not by trials; nothing is imported."""
    return catalogue.entry(recipe.algorithm).family == "weight_sharing"


def checked_algorithm(recipe: Recipe, space: Space) -> Algorithm | SupernetSearch:
    """The recipe's algorithm, made, and able to search the space.

    Raises:
        UserError: an option out of its range, or a decision point that it cannot search.
    """
    mark = recipe.marks.get("algorithm")
    with marked(mark, "algorithm"):
        algorithm = _made(recipe, space)
        able = algorithm.capabilities
        check_capabilities(recipe.algorithm, able, space, recipe.objectives, mark)
        if able.fixed_architecture:
            from automl_cli.programs.architecture import check_fixed

            check_fixed(recipe.algorithm, space)
    return algorithm


def _made(recipe: Recipe, space: Space) -> Algorithm | SupernetSearch:
    name, options = recipe.algorithm, recipe.options
    if shares_weights(recipe):
        options = {**shaping_options(recipe), **turns(recipe, space), **options}
    elif recipe.phases.once:
        from automl_algorithms.phased import Phased, opened

        opened(space, recipe.phases.once)
        return Phased(
            lambda: catalogue.create(name, options), recipe.phases.all, unique=recipe.unique
        )
    made: Algorithm | SupernetSearch = catalogue.create(name, options)
    return made


def shaping_options(recipe: Recipe) -> dict[str, Any]:
    """How constraints that shape the reward reach an algorithm of weight sharing: as its options.

    One that rewards records by their costs (tunas) has the options `shape` and `beta`, the same
    for every cost. Where the constraints do not agree, and for other algorithms, there are none:
    the bounds alone count then.
    """
    shapes = {"absolute": "absolute", "soft": "mnas", "hard": "mnas_hard"}
    shaping: set[tuple[str, float]] = {
        (shapes[c.reward], c.weight) for c in recipe.constraints.values() if c.reward
    }
    known = catalogue.signature(recipe.algorithm).params
    if len(shaping) != 1 or not {"shape", "beta"} <= known.keys():
        return {}
    ((shape, beta),) = shaping
    return {"shape": shape, "beta": beta}


def turns(recipe: Recipe, space: Space) -> dict[str, Any]:
    """How the phases of a recipe reach an algorithm of weight sharing: as its option `groups`.

    Each phase has an equal share of the steps, whatever its trials are.

    Raises:
        UserError: a decision in no phase: by trials it would stay as it is in the static program,
            but a supernet has no other.
    """
    from automl_algorithms.phased import never, opened

    phases = recipe.phases
    if not phases.once:
        return {}
    with marked(recipe.marks.get("phases"), "phases"):
        found = opened(space, phases.once)
        if left := never(space, found):
            raise UserError(
                f"{recipe.algorithm} has to search {left[0]} in one of the phases",
                hint="name it in a phase, or take its overlay out of the space",
            )
    ids = [[space.points[index].id for index in sorted(indices)] for indices in found]
    return {"groups": ids * phases.repeat}


def check_on_paper(recipe: Recipe, space: Space) -> None:
    """As `checked_algorithm`, but as far as texts tell where to make it would import torch.

    Raises:
        UserError: as there.
    """
    if not shares_weights(recipe):
        checked_algorithm(recipe, space)
        return
    turns(recipe, space)
    name, mark = recipe.algorithm, recipe.marks.get("algorithm")
    check_capabilities(name, catalogue.capabilities(name), space, recipe.objectives, mark)


@contextmanager
def marked(mark: Mark | None, path: str) -> Iterator[None]:
    """Say of the mistakes found in the block where they were written."""
    try:
        yield
    except UserError as error:
        problems = Problems()
        problems.extend(error, mark, path)
        raise UserError(problems.found) from None
