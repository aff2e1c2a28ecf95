"""What can be said of a study from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from yaml.nodes import Node

from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.module_folders import open_folders
from automl_cli.progress import Finished
from automl_cli.recipe import import_folders
from automl_cli.recipe_files import child
from automl_cli.recipe_schema import SECTIONS
from automl_cli.runner import trial_seed
from automl_cli.shipped import register_shipped
from automl_spaces.errors import AutomlError, UserError
from automl_spaces.json_form import from_json
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from automl_spaces.yaml_reader import compose, plain
from automl_spaces.yaml_writer import dump


def objectives_of(study: StudyRow) -> list[Objective]:
    """What the study was after."""
    return [Objective(o["metric"], o["direction"]) for o in json.loads(study.objectives)]


def imports_of(study: StudyRow) -> tuple[str, ...]:
    """The modules that the study's recipe may name."""
    return tuple(_recipe_key(study, "imports") or ())


def _recipe_key(study: StudyRow, key: str) -> Any:
    """The plain value of a key of the recipe that the study was started with; None if absent."""
    root = _recipe_root(study.recipe, study.name)
    node = child(root, key) if root is not None else None
    return None if node is None else plain(node)


@lru_cache(maxsize=8)
def _recipe_root(text: str, name: str) -> Node | None:
    """The recipe of a study, composed once for all the keys that are asked for."""
    return compose(text, f"the recipe of {name}")


def experiment_of(study: StudyRow) -> str:
    """The MLflow experiment that the study belongs to: the one its run was projected into."""
    environment: dict[str, Any] = json.loads(study.environment)
    return str(environment.get("experiment") or study.name)


def space_of(study: StudyRow) -> Space:
    """The compiled space of a study."""
    register_shipped()
    recipe = Path(json.loads(study.environment).get("recipe") or "recipe.yaml")
    open_folders(import_folders(recipe))
    return Space.compile(from_json(study.space, imports_of(study)))


def known_space(study: StudyRow) -> Space | None:
    """As `space_of`; None where the program's own modules are not there any more."""
    try:
        return space_of(study)
    except AutomlError:
        return None


def recipe_maker(ledger_path: Path, study_name: str) -> Callable[[int], str]:
    """For the MLflow projection: the static recipe of a trial of a study, by the trial's id."""
    with Ledger(ledger_path, read_only=True) as ledger:
        study = ledger.study(study_name)
        if study is None:
            raise UserError(f"there is no study {study_name}")

    def make(trial_id: int) -> str:
        with Ledger(ledger_path, read_only=True) as ledger:
            rows = ledger.lineage(study.id, trial_id)
        if not rows:
            raise UserError(f"{study_name} has no trial {trial_id}")
        return static_recipe(study, Finished.of(rows[-1]), rows[0].id)[0]

    return make


def static_recipe(study: StudyRow, trial: Finished, root: int | None = None) -> tuple[str, Any]:
    """A trial's program, and the recipe that repeats it: no space, no algorithm, its own seed.

    Args:
        root: the trial that its training began with, when it went on from others.
    """
    space = space_of(study)
    program = space.materialise(space.decode(trial.decisions))
    objectives = [{o.direction: o.metric} for o in objectives_of(study)]
    data: dict[str, Any] = {"name": f"{study.name}-trial-{trial.id}"}
    imports = imports_of(study)
    if imports:
        data["imports"] = list(imports)
    data["program"] = program
    data["objective"] = objectives[0] if len(objectives) == 1 else objectives
    costs = _recipe_key(study, "costs")
    if costs:
        data["costs"] = costs
    # The only trial of a static recipe has the recipe's seed.
    data["seed"] = trial_seed(study.seed, trial.id if root is None else root)
    defaults = {key: default for key, (_, default, _) in SECTIONS["run"].items()}
    run = _recipe_key(study, "run") or {}
    changed = {key: value for key, value in run.items() if value != defaults.get(key)}
    if changed:
        data["run"] = changed
    head = f"# Trial {trial.id} of {study.name}: " + ", ".join(
        f"{o.metric} {trial.metrics[o.metric]:.6g}"
        for o in objectives_of(study)
        if o.metric in trial.metrics
    )
    return f"{head}\n{dump(data)}", program
