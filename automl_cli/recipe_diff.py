"""What changes from one recipe to another: symbolically, and in lines of YAML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from automl_cli.recipe import Recipe
from automl_cli.recipe_constraints import told
from automl_cli.tree_text import one_line
from automl_spaces.space import Space
from automl_spaces.traversal import MISSING, diff


class RecipeDiff(NamedTuple):
    """Changes by section, as (where, old, new) texts; an empty text means absent.

    `added` and `removed` are the lines of YAML that it takes, comments and blank lines not
    counted, in the recipe itself and in all that it extends. `overlays` counts the lines of the
    overlay files that come in and go: they are written once and used by many recipes.
    """

    sections: dict[str, list[tuple[str, str, str]]]
    added: list[str]
    removed: list[str]
    overlays: tuple[int, int]
    spaces: tuple[Space, Space]


def compare(
    old: Recipe, new: Recipe, new_text: str | None = None, settings: Sequence[str] = ()
) -> RecipeDiff:
    """The difference of two recipes.

    Args:
        new_text: the text of the new recipe's own file, when it is not what the file holds.
        settings: changes by `--set`; each is a line.
    """
    spaces = Space.compile(old.template), Space.compile(new.template)
    lines = _lines(old), _lines(new, new_text) + Counter(settings)
    sections = {
        "program": [
            (c.path or "the program", _text(c.old), _text(c.new))
            for c in diff(old.program, new.program)
        ],
        "space": _point_changes(*spaces),
    }
    names = ("algorithm", "phases", "objective", "constraints", "costs", "budget", "run", "other")
    for name in names:
        sections[name] = _changes(_section(old, name), _section(new, name))
    return RecipeDiff(
        {k: v for k, v in sections.items() if v},
        list((lines[1] - lines[0]).elements()),
        list((lines[0] - lines[1]).elements()),
        (_overlay_lines(new, old), _overlay_lines(old, new)),
        spaces,
    )


def _text(value: Any) -> str:
    return "" if value is MISSING else one_line(value)


def _point_changes(old: Space, new: Space) -> list[tuple[str, str, str]]:
    from automl_cli.tree_text import folded_points

    a = {(name, what): times for name, what, times in folded_points(old)}
    b = {(name, what): times for name, what, times in folded_points(new)}
    changed: dict[str, list[str]] = {}
    for side, (one, other) in enumerate(((a, b), (b, a))):
        for (name, what), times in one.items():
            if (name, what) not in other:
                text = what + (f"  x{times}" if times > 1 else "")
                changed.setdefault(name, ["", ""])[side] = text
    return [(name, was, now) for name, (was, now) in changed.items()]


def _section(recipe: Recipe, name: str) -> dict[str, Any]:
    if name == "algorithm":
        return {"name": recipe.algorithm, **recipe.options}
    if name == "objective":
        return {o.metric: o.direction for o in recipe.objectives}
    if name == "phases":
        return _phases(recipe)
    if name == "constraints":
        return dict(line.split(" ", 1) for line in told(recipe.constraints))
    if name == "costs":
        return dict.fromkeys(recipe.costs, "computed")
    if name == "other":
        return {"baseline": recipe.baseline, "unique": recipe.unique, "seed": recipe.seed}
    section: dict[str, Any] = getattr(recipe, name)
    return section


def _phases(recipe: Recipe) -> dict[str, Any]:
    phases = recipe.phases
    told = {
        f"{i}": f"{', '.join(phase.decide)} ({phase.trials} trials)"
        for i, phase in enumerate(phases.once, 1)
    }
    return told | ({"repeat": phases.repeat} if phases.repeat > 1 else {})


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    def text(value: Any) -> str:
        return "" if value is None else str(value)

    keys = [*old, *(k for k in new if k not in old)]
    pairs = [(k, text(old.get(k)), text(new.get(k))) for k in keys]
    return [p for p in pairs if p[1] != p[2]]


def _lines(recipe: Recipe, text: str | None = None) -> Counter[str]:
    """The lines of YAML that a recipe consists of.

    Args:
        text: stands for the recipe's own file, when a switch would change that.
    """
    lines: Counter[str] = Counter()
    for file in recipe.files:
        lines += code_lines(file.read_text(encoding="utf-8") if text is None else text)
        text = None  # the recipe's own file comes first
    return lines


def _overlay_lines(recipe: Recipe, other: Recipe) -> int:
    """The lines of the overlays that a recipe has and another has not."""
    files = [f for f in recipe.overlays if f not in other.overlays]
    return sum(code_lines(f.read_text(encoding="utf-8")).total() for f in files)


def code_lines(text: str) -> Counter[str]:
    """Lines of a YAML text that say something: no comments, no white space, no `doc`."""
    found = []
    for line in text.splitlines():
        bare = line.split(" #")[0].strip() if not line.strip().startswith("#") else ""
        if bare and not bare.startswith("doc:"):
            found.append(bare)
    return Counter(found)


def as_json(found: RecipeDiff) -> str:
    """The difference as JSON."""
    sizes = [None if s.size == float("inf") else s.size for s in found.spaces]
    return json.dumps(
        {
            "changes": {
                section: [{"path": p, "old": a or None, "new": b or None} for p, a, b in rows]
                for section, rows in found.sections.items()
            },
            "lines_added": len(found.added),
            "lines_removed": len(found.removed),
            "overlay_lines": list(found.overlays),
            "added": found.added,
            "removed": found.removed,
            "size": sizes,
            "points": [len(s.points) for s in found.spaces],
        }
    )
