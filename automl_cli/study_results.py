"""What can be said of a study from the ledger alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from automl_cli.ledger_schema import StudyRow
from automl_cli.progress import Finished
from automl_cli.recipe import open_import_folders
from automl_cli.shipped import register_shipped
from automl_spaces.json_form import from_json
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from automl_spaces.yaml_reader import compose
from automl_spaces.yaml_writer import dump


def objectives_of(study: StudyRow) -> list[Objective]:
    """What the study was after."""
    return [Objective(o["metric"], o["direction"]) for o in json.loads(study.objectives)]


def imports_of(study: StudyRow) -> tuple[str, ...]:
    """The modules that the study's recipe may name."""
    from automl_cli.recipe_files import child
    from automl_spaces.yaml_reader import plain

    root = compose(study.recipe, f"the recipe of {study.name}")
    node = child(root, "imports") if root is not None else None
    return tuple(plain(node)) if node is not None else ()


def space_of(study: StudyRow) -> Space:
    """The compiled space of a study."""
    register_shipped()
    open_import_folders(Path(json.loads(study.environment).get("recipe") or "recipe.yaml"))
    return Space.compile(from_json(study.space, imports_of(study)))


def static_recipe(study: StudyRow, trial: Finished) -> tuple[str, Any]:
    """A trial's program, and the recipe that trains it: no space, no algorithm."""
    space = space_of(study)
    program = space.materialise(space.decode(trial.decisions))
    objectives = [{o.direction: o.metric} for o in objectives_of(study)]
    data: dict[str, Any] = {"name": f"{study.name}-trial-{trial.id}"}
    imports = imports_of(study)
    if imports:
        data["imports"] = list(imports)
    data["program"] = program
    data["objective"] = objectives[0] if len(objectives) == 1 else objectives
    data["seed"] = study.seed
    head = f"# Trial {trial.id} of {study.name}: " + ", ".join(
        f"{o.metric} {trial.metrics[o.metric]:.6g}"
        for o in objectives_of(study)
        if o.metric in trial.metrics
    )
    return f"{head}\n{dump(data)}", program
