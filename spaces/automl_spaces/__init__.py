"""The symbolic core: programs as data, the spaces they span, and decision records.

Knows the standard library and PyYAML, and nothing of search algorithms, PyTorch or the CLI.
"""

from automl_spaces.choices import Choice, floatv, intv, manyof, oneof, permutate
from automl_spaces.decisions import Decisions
from automl_spaces.errors import AutomlError, Mark, PathError, Problem, UserError
from automl_spaces.json_form import fingerprint, from_json, to_json
from automl_spaces.points import Point
from automl_spaces.registry import register, resolve, symbolize
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol, SymbolType
from automl_spaces.traversal import Change, diff, query, walk

__all__ = [
    "AutomlError",
    "Change",
    "Choice",
    "Decisions",
    "Mark",
    "PathError",
    "Point",
    "Problem",
    "Space",
    "Symbol",
    "SymbolType",
    "UserError",
    "diff",
    "fingerprint",
    "floatv",
    "from_json",
    "intv",
    "manyof",
    "oneof",
    "permutate",
    "query",
    "register",
    "resolve",
    "symbolize",
    "to_json",
    "walk",
]
