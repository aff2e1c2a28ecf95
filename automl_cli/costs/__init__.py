"""Costs: what is known about a program before it is trained, for constraints and objectives.

A cost is a registered function `cost(program: Symbol) -> float` in a file of its own name:
a new file here is a new cost. A package of a user adds some by entry points of the group
`automl.costs`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from automl_spaces.errors import AutomlError, UserError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Cost = Callable[[Any], float]


class Infeasible(AutomlError):  # noqa: N818 - a state of affairs, not a mistake
    """A program that cannot be run as it is described, on its accelerator for instance.

    A cost raises it. The proposal is then refused like one outside of the constraints: it is
    not run and not charged, but counted.
    """


def names() -> list[str]:
    """The names of all costs, in order of the alphabet."""
    return sorted({*_ours(), *_theirs()})


def exists(name: str) -> bool:
    """Whether there is a cost of this name; other packages are asked only if ours lack it."""
    return _is_ours(name) or name in _theirs()


def load(name: str) -> Cost:
    """The cost function of this name.

    Raises:
        UserError: when there is none, with the nearest name.
    """
    if _is_ours(name):
        return cast(Cost, getattr(importlib.import_module(f"{__name__}.{name}"), name))
    theirs = _theirs()
    if name in theirs:
        return cast(Cost, theirs[name].load())
    raise UserError(f"there is no cost {name}", hint=did_you_mean(name, names()))


def _ours() -> list[str]:
    return [file.stem for file in Path(__file__).parent.glob("*.py") if _is_ours(file.stem)]


@cache
def _is_ours(name: str) -> bool:
    file = Path(__file__).parent / f"{name}.py"
    return file.is_file() and f"@register\ndef {name}(" in file.read_text(encoding="utf-8")


@cache
def _theirs() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # slow, and rarely needed

    return {point.name: point for point in entry_points(group="automl.costs")}
