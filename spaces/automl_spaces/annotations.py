"""Type hints where they are simple, read from their text: enough to catch a wrong value early.

Hints are read as text and never evaluated, so that a program can be checked without importing
the module (and the libraries) that it is written in. A hint that is not understood accepts
everything: this check exists to help, not to replace a type checker.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple


class Hint(NamedTuple):
    """A type hint that can test a value.

    `text` is how it reads in a message; `fits` tests one static value; `scalars` names the
    simple types among its alternatives ("int", "float", ...) for checks of ranges.
    """

    text: str
    fits: Callable[[Any], bool]
    scalars: frozenset[str] = frozenset()


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or _is_int(value)


_SIMPLE: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "float": _is_float,
    "str": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "None": lambda v: v is None,
}
_LISTS = {"list", "tuple", "Sequence", "Iterable", "Collection", "set", "frozenset"}
_DICTS = {"dict", "Mapping", "MutableMapping"}


def _is_list(value: Any) -> bool:
    """Also a set, a range or an array: only what is clearly something else is refused."""
    return not isinstance(value, int | float | str | bytes | dict | None)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _union(parts: list[ast.expr]) -> Hint | None:
    hints = [_read(part) for part in parts]
    known = [h for h in hints if h is not None]
    if len(known) < len(hints):
        return None  # one alternative accepts anything, so the union does
    return Hint(
        " or ".join(h.text for h in known),
        lambda v: any(h.fits(v) for h in known),
        frozenset().union(*(h.scalars for h in known)),
    )


def _sequence(name: str, inner: ast.expr) -> Hint:
    elements = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    hints = [_read(e) for e in elements if not (isinstance(e, ast.Constant) and e.value is ...)]
    fixed = name == "tuple" and len(hints) == len(elements)

    def fits(value: Any) -> bool:
        if not isinstance(value, list | tuple):
            return _is_list(value)
        if fixed and len(value) != len(hints):
            return False
        each = hints if fixed else hints[:1] * len(value)
        return all(h is None or h.fits(v) for h, v in zip(each, value, strict=False))

    inside = ", ".join("anything" if h is None else h.text for h in hints)
    return Hint(f"{name}[{inside}]", fits)


def _subscript(node: ast.Subscript) -> Hint | None:
    name, inner = _name(node.value), node.slice
    if name == "Literal":
        try:
            options = ast.literal_eval(inner)
        except ValueError:
            return None
        options = options if isinstance(options, tuple) else (options,)
        return Hint("one of " + ", ".join(map(str, options)), lambda v: v in options)
    if name == "Optional":
        return _union([inner, ast.Constant(None)])
    if name == "Union":
        return _union(inner.elts if isinstance(inner, ast.Tuple) else [inner])
    if name in ("Annotated", "Final"):
        return _read(inner.elts[0] if isinstance(inner, ast.Tuple) else inner)
    if name in _LISTS:
        return _sequence(name, inner)
    if name in _DICTS:
        return Hint("a mapping", _is_mapping)
    return None


def _read(node: ast.expr) -> Hint | None:
    if isinstance(node, ast.Constant):
        if node.value is None:
            return Hint("null", _SIMPLE["None"])
        return read_hint(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _subscript(node)
    name = _name(node)
    if name in _SIMPLE:
        return Hint(name, _SIMPLE[name], frozenset([name]))
    if name in _LISTS:
        return Hint("a list", _is_list)
    if name in _DICTS:
        return Hint("a mapping", _is_mapping)
    return None


def hint_of(node: ast.expr | None) -> Hint | None:
    """The type hint that an expression of the source is; None when absent or not simple."""
    return None if node is None else _read(node)


@lru_cache(maxsize=1024)
def read_hint(text: str) -> Hint | None:
    """Read a type hint from its text; None when it is absent or not simple."""
    try:
        return _read(ast.parse(text, mode="eval").body) if text else None
    except SyntaxError:
        return None
