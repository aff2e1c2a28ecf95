"""The symbolic core: programs as data, the spaces they span, and decision records.

Knows the standard library and PyYAML, and nothing of search algorithms, PyTorch or the CLI.
The names below are imported at their first use, so that the command line starts quickly.
For the same reason nothing between a YAML text and a `Space` imports dataclasses: it loads inspect.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_spaces.choices import Choice as Choice
    from automl_spaces.choices import floatv as floatv
    from automl_spaces.choices import intv as intv
    from automl_spaces.choices import manyof as manyof
    from automl_spaces.choices import oneof as oneof
    from automl_spaces.choices import permutate as permutate
    from automl_spaces.decisions import Decisions as Decisions
    from automl_spaces.errors import AutomlError as AutomlError
    from automl_spaces.errors import Mark as Mark
    from automl_spaces.errors import PathError as PathError
    from automl_spaces.errors import Problem as Problem
    from automl_spaces.errors import UserError as UserError
    from automl_spaces.json_form import fingerprint as fingerprint
    from automl_spaces.json_form import from_json as from_json
    from automl_spaces.json_form import to_json as to_json
    from automl_spaces.objective import Objective as Objective
    from automl_spaces.points import Point as Point
    from automl_spaces.registry import register as register
    from automl_spaces.registry import resolve as resolve
    from automl_spaces.registry import symbolize as symbolize
    from automl_spaces.space import Space as Space
    from automl_spaces.symbols import Symbol as Symbol
    from automl_spaces.symbols import SymbolType as SymbolType
    from automl_spaces.traversal import Change as Change
    from automl_spaces.traversal import diff as diff
    from automl_spaces.traversal import query as query
    from automl_spaces.traversal import walk as walk
    from automl_spaces.trial import Pruned as Pruned
    from automl_spaces.trial import Trial as Trial
    from automl_spaces.yaml_values import from_yaml as from_yaml
    from automl_spaces.yaml_writer import dump as dump

_HOMES = {
    "choices": ("Choice", "floatv", "intv", "manyof", "oneof", "permutate"),
    "decisions": ("Decisions",),
    "errors": ("AutomlError", "Mark", "PathError", "Problem", "UserError"),
    "json_form": ("fingerprint", "from_json", "to_json"),
    "objective": ("Objective",),
    "points": ("Point",),
    "registry": ("register", "resolve", "symbolize"),
    "space": ("Space",),
    "symbols": ("Symbol", "SymbolType"),
    "traversal": ("Change", "diff", "query", "walk"),
    "trial": ("Pruned", "Trial"),
    "yaml_values": ("from_yaml",),
    "yaml_writer": ("dump",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)  # noqa: PLE0605 - a list of the names above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
