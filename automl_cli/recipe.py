"""A recipe: program, space, objective, algorithm, and how to run. The four stay independent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from automl_cli import recipe_files as files
from automl_cli.module_folders import open_folders
from automl_cli.recipe_schema import SECTIONS
from automl_cli.shipped import register_shipped
from automl_spaces.choices import has_choices
from automl_spaces.errors import Mark
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol

if TYPE_CHECKING:
    from automl_algorithms.constraints import Constraint
    from automl_cli.recipe_phases import Phases


class Recipe(SimpleNamespace):
    """A recipe with every key read and checked against the others.

    A namespace, because `RecipeReader` alone makes one and gives every key.

    Attributes:
        program: the static child program.
        template: the program with the choices of the space in it.
        constraints: bounds on costs and metrics, by name.
        phases: in which decisions are searched; none: all of them at once.
        marks: where each key was written.
        variant: how the command line changed the space, for the study's name.
    """

    name: str
    path: Path
    files: list[Path]
    program: Symbol
    template: Symbol
    overlays: list[Path]
    objectives: list[Objective]
    algorithm: str
    options: dict[str, Any]
    budget: dict[str, Any]
    sharing: dict[str, Any]
    run: dict[str, Any]
    tracking: dict[str, Any]
    imports: tuple[str, ...]
    costs: tuple[str, ...]
    constraints: dict[str, Constraint]
    phases: Phases
    baseline: bool
    unique: bool
    seed: int
    doc: str
    marks: dict[str, Mark]
    variant: str = ""

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest value that each constraint accepts."""
        return {name: c.bounds for name, c in self.constraints.items()}

    @property
    def filters(self) -> dict[str, tuple[float, float]]:
        """Those of the constraints outside of which nothing is run."""
        return {name: c.bounds for name, c in self.constraints.items() if not c.reward}

    def as_data(self, program: Any = None) -> dict[str, Any]:
        """The recipe as one self-contained mapping: no `extends`, the choices in the program.

        Args:
            program: another program in its place, a static one for example; the keys of a
                search are then left out.
        """
        objectives = [{o.direction: o.metric} for o in self.objectives]
        data: dict[str, Any] = {"name": self.name}
        if self.imports:
            data["imports"] = list(self.imports)
        data["program"] = self.template if program is None else program
        data["objective"] = objectives[0] if len(objectives) == 1 else objectives
        if self.costs:
            data["costs"] = list(self.costs)
        if program is None:
            data["algorithm"] = {"name": self.algorithm, **self.options}
            data["budget"] = _given(self.budget)
            if self.constraints:
                from automl_cli.recipe_constraints import as_data

                data["constraints"] = {k: as_data(c) for k, c in self.constraints.items()}
            if self.phases.once:
                data["phases"] = self.phases.as_data()
            data |= {"baseline": self.baseline, "unique": self.unique}
            defaults = {key: default for key, (_, default, _) in SECTIONS["sharing"].items()}
            if self.sharing != defaults:
                data["sharing"] = _given(self.sharing)
        data["seed"] = self.seed
        data["run"] = _given(self.run)
        return data


def _given(section: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in section.items() if v is not None}


def load_recipe(
    name: str,
    *,
    algorithm: str | None = None,
    space: Sequence[str] = (),
    settings: Sequence[str] = (),
    path: Path | None = None,
) -> Recipe:
    """Find, read and check a recipe, with the changes that the command line makes to it.

    Raises:
        UserError: every mistake found.
    """
    register_shipped()
    path = path or files.find(name, [Path.cwd()], "recipe")
    open_folders(import_folders(path))
    loaded = files.load(path)
    root = loaded.node
    if algorithm is not None:
        files.put(root, "algorithm", files.value_node(algorithm, f"--algorithm {algorithm}"))
    if space:
        files.set_space(root, space)
    for assignment in settings:
        files.set_path(root, assignment)
    files.resolve_spaces(root, [Path.cwd()])  # those that --set brought
    from automl_cli.recipe_reader import RecipeReader

    recipe = RecipeReader(loaded).read()
    recipe.variant = "".join(_variant(each) for each in space)
    return recipe


def _variant(space: str) -> str:
    """How a `--space` value reads in a study's name: +mobilenet_s2, -mobilenet_s2, =none."""
    sign = space[0] if space[0] in "+-" else "="
    return sign + Path(space.lstrip("+-")).stem


def static_program(recipe: Recipe, space: Space) -> Any:
    """The program without choices; None when it has some and no default."""
    if not has_choices(recipe.program):
        return recipe.program
    default = space.default()
    return None if default is None else space.materialise(default)


def import_folders(path: Path) -> tuple[str, ...]:
    """Where the modules under `imports:` are found besides the installed ones."""
    return tuple(dict.fromkeys((str(path.parent), str(Path.cwd()))))
