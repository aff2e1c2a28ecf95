"""A study: one search of one recipe, in the ledger of a project folder."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from automl_cli.checks import shares_weights
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow, TrialRow
from automl_cli.recipe import Recipe
from automl_cli.recipe_constraints import told
from automl_cli.recipe_files import bare
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.json_form import fingerprint, to_json
from automl_spaces.space import Space
from automl_spaces.yaml_writer import dump

FOLDER: Final = Path(".automl")
_LONGEST_OPTIONS: Final = 40  # characters of them in a study's name


def ledger_path(folder: Path | None = None) -> Path:
    """The ledger of a project folder, the working folder by default."""
    return (folder or Path.cwd()) / FOLDER / "ledger.db"


def study_folder(name: str) -> Path:
    """Where the files of a study's trials lie: a folder of its own, whatever the name."""
    safe = re.sub(r"[^\w.+-]", "-", name).lstrip(".")[:100]
    if safe != name:
        safe += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return Path.cwd() / FOLDER / "studies" / safe


def default_name(recipe: Recipe) -> str:
    """Recipe, space, algorithm, its options and seed: a switch of one is another study."""
    ending = name_ending(recipe.algorithm, told_options(recipe), recipe.seed)
    return f"{recipe.name}{recipe.variant}{ending}"


def told_options(recipe: Recipe) -> dict[str, Any]:
    """The options of the algorithm, and the phases that it runs in: what tells searches apart."""
    phases = {"phases": str(recipe.phases)} if recipe.phases.once else {}
    return recipe.options | phases


def name_ending(algorithm: str, options: Mapping[str, Any], seed: int) -> str:
    """How default names end: `-evolution-7`, or `-evolution-preset=nats-7` with options.

    The options stand in alphabetical order, so that it does not matter how they were written, and
    with characters that a file may be named with; long ones are cut, and a digest follows.
    """
    told = ",".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in sorted(options.items())
    )
    safe = re.sub(r"[^\w.+=,-]+", "_", told)
    if safe != told or len(safe) > _LONGEST_OPTIONS:
        digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
        safe = f"{safe[:_LONGEST_OPTIONS]}-{digest[:8]}"
    return "-".join(["", algorithm, *[safe] * bool(safe), str(seed)])


@contextmanager
def open_study(
    ledger: Ledger, recipe: Recipe, space: Space, name: str, *, accept_changes: bool = False
) -> Iterator[StudyRow]:
    """The study of that name, new or resumed, locked for this process alone.

    Raises:
        StudyBusy: when another process runs it.
        UserError: when it was recorded with another program, space, algorithm, objective or seed
            and the changes are not accepted, or a trial of it does not fit the space any more.
    """
    wanted = record_of(recipe, space)
    surroundings = wanted.pop("environment")
    del wanted["name"]
    study = ledger.study(name)
    if study is None:
        study = ledger.create_study(name=name, environment=surroundings, **wanted)
    with ledger.lock(study.id):
        changed = [_WORDS[key] for key in _WORDS if getattr(study, key) != wanted[key]]
        if _shaping(study.environment) != _shaping(surroundings):
            changed.append("reward of constraints")
        if changed and not accept_changes:
            what = ", ".join(dict.fromkeys(changed))
            raise UserError(
                f"the study {name} was recorded with another {what}",
                hint="--study NAME or --new starts another; --accept-changes goes on with this",
            )
        if changed:
            for row in ledger.trials(study.id):
                recorded(row, space, name)
            wanted["environment"] = surroundings
            ledger.update_study(study.id, **wanted)
        yield study._replace(**wanted)


def _shaping(surroundings: str) -> list[str]:
    """The constraints that shape the reward, as a study's environment tells them."""
    return list(json.loads(surroundings or "{}").get("shaping", ()))


def record_of(recipe: Recipe, space: Space) -> dict[str, Any]:
    """What a ledger keeps of a new study: the arguments of `Ledger.create_study`."""
    return {
        "name": default_name(recipe),
        "recipe": text(recipe),
        "space": to_json(recipe.template),
        "space_hash": space.hash,
        "program_hash": fingerprint(recipe.template),
        "algorithm": recipe.algorithm,
        "options": json.dumps(told_options(recipe), sort_keys=True),
        "objectives": json.dumps(
            [{"metric": o.metric, "direction": o.direction} for o in recipe.objectives]
        ),
        "seed": recipe.seed,
        "environment": environment(recipe, space),
    }


def reseeded(record: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The record of the same recipe with another seed, without computing the rest again."""
    return record | {"name": default_name(recipe), "seed": recipe.seed, "recipe": text(recipe)}


def text(recipe: Recipe) -> str:
    """A recipe as one self-contained YAML text."""
    return dump(recipe.as_data())


def recorded(row: TrialRow, space: Space, name: str) -> Decisions:
    """What a trial of the study `name` was decided to be; `UserError` when the space lacks it."""
    try:
        return space.decode(row.decisions)
    except UserError as error:
        reasons = "; ".join(str(p) for p in error.problems)
        raise UserError(
            f"trial {row.id} of {name} does not fit the space any more: {reasons}",
            hint="--new starts another study",
        ) from None


_WORDS: Final = {
    "space_hash": "space",
    "program_hash": "program",
    "algorithm": "algorithm",
    "options": "algorithm",
    "objectives": "objective",
    "seed": "seed",
}


def free_name(ledger: Ledger, name: str) -> str:
    """`name`, or `name-2`, `name-3`, ...: the first that no study has."""
    taken = {s.name for s in ledger.studies()}
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def find_study(ledger: Ledger, name: str | None) -> StudyRow:
    """The study of a name or of a recipe, the latest one by default.

    Raises:
        UserError: when there is none, with the nearest name.
    """
    studies = ledger.studies()
    if not studies:
        raise UserError(f"{ledger.path} has no study yet", hint="automl run RECIPE")
    if name is None:
        return studies[-1]
    exact = [s for s in studies if s.name == name]
    stem = bare(name)
    family = [s for s in studies if s.name.startswith((stem + "-", stem.replace("/", "-") + "-"))]
    found = exact or family
    if not found:
        raise UserError(
            f"there is no study {name}", hint=did_you_mean(name, [s.name for s in studies])
        )
    return found[-1]


def matching(ledger: Ledger, names: Sequence[str]) -> list[StudyRow]:
    """The studies of these names, or whose names begin so; all of them when none is given.

    Raises:
        UserError: for a name that fits none, with the nearest.
    """
    studies = ledger.studies()
    if not names:
        return studies
    chosen: dict[int, StudyRow] = {}
    for name in names:
        stem = bare(name).replace("/", "-")
        fits = [s for s in studies if s.name == name] or [
            s for s in studies if s.name.startswith(stem)
        ]
        if not fits:
            hint = did_you_mean(name, [s.name for s in studies])
            raise UserError(f"there is no study {name}", hint=hint)
        chosen |= {s.id: s for s in fits}
    return list(chosen.values())


def environment(recipe: Recipe, space: Space) -> str:
    """What the study ran on, as JSON: versions, the commit of the working folder, the recipe."""
    found: dict[str, Any] = {
        "versions": _versions(),
        "machine": platform.machine(),
        "commit": _commit(),
        "recipe": str(recipe.path),
        "points": [p.id for p in space.points],
        "experiment": recipe.tracking["experiment"] or recipe.name,
    }
    shaping = {name: c for name, c in recipe.constraints.items() if c.reward}
    if shaping:
        found["shaping"] = list(told(shaping))
    if shares_weights(recipe):  # what the probabilities of its policy are of
        found["candidates"] = [
            [str(p.show(p.at(place))) for place in range(p.cardinality or 0)] for p in space.points
        ]
    return json.dumps(found)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("automl-cli", "torch", "optuna", "mlflow", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
