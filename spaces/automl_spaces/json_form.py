"""Programs and spaces as JSON: names and data, nothing that could be executed.

A node is `{"$": "MobileNetV2", "width": 0.35}`; lists and tuples are arrays; a mapping is an
object, wrapped as `{"$": "dict", "items": [[key, value], ...]}` where a plain one would be
mistaken for a node. Reading needs no more than the names: a callable is found through
`registry.resolve`, with the caller's list of modules.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from automl_spaces.choices import CHOICES
from automl_spaces.errors import Problems, UserError
from automl_spaces.registry import registered, resolve
from automl_spaces.symbols import Symbol, SymbolType
from automl_spaces.traversal import same

_AS_IT_IS = frozenset([str, int, bool, type(None)])
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def name_of(type: SymbolType) -> str:
    """The short name where it is registered, else `module:Name`."""
    known = CHOICES.get(type.name) or registered(type.name)
    if known is not None and known.home == type.home and "<" not in type.name:
        return type.name
    if "<" in type.qualname or type.module == "__main__":
        raise UserError(
            f"{type.name} cannot be written down: it is defined inside of a function or script",
            hint="move it to a module, or @register it",
        )
    return f"{type.module}:{type.qualname}"


def to_data(value: Any) -> Any:
    """Plain JSON data of a tree.

    Raises:
        UserError: a value that is not data (an array, an open file, a lambda).
    """
    if value.__class__ in _AS_IT_IS:
        return value
    if isinstance(value, Symbol):
        data = {"$": name_of(value.type)}
        for key, child in value.args.items():
            data[key] = child if child.__class__ in _AS_IT_IS else to_data(child)
        return data
    if isinstance(value, list | tuple):
        return [to_data(v) for v in value]
    if isinstance(value, dict):
        if "$" in value or not all(isinstance(k, str) for k in value):
            items = [[_key(k), to_data(v)] for k, v in value.items()]
            return {"$": "dict", "items": items}
        return {k: to_data(v) for k, v in value.items()}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "value": repr(float(value))}
    raise UserError(
        f"a {type(value).__name__} cannot be written down: only nodes, numbers, texts, lists and "
        "mappings can",
        hint="symbolize what makes it",
    )


def _key(key: Any) -> Any:
    if key is None or isinstance(key, str | int | float):
        return _scalar(key)
    raise UserError(f"the key {key!r} of a mapping cannot be written down")


def canonical(value: Any) -> str:
    """A text that is the same for equal trees, and for no others.

    An argument that equals its default is left out, 1.0 is 1, and a callable is named by where
    it was defined: `same` of `traversal`, as a text.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"))


def _canonical(value: Any) -> Any:
    if isinstance(value, Symbol):
        default = value.type.default
        args = {k: v for k, v in value.args.items() if not same(v, default(k))}
        return {"$": ":".join(value.type.home), **{k: _canonical(v) for k, v in args.items()}}
    if isinstance(value, list | tuple):
        return [_canonical(v) for v in value]
    if isinstance(value, dict):
        if "$" in value or not all(isinstance(k, str) for k in value):
            items = [[_canonical(_key(k)), _canonical(v)] for k, v in value.items()]
            return {"$": "dict", "items": sorted(items, key=json.dumps)}
        return {k: _canonical(v) for k, v in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _scalar(value)


def from_data(data: Any, imports: Iterable[str] = ()) -> Any:
    """Inverse of `to_data`, with every name resolved and every argument checked."""
    problems = Problems()
    try:
        value = _read(data, tuple(imports), problems, {})
    except RecursionError:
        raise UserError("nested too deeply") from None
    problems.raise_if_any()
    if isinstance(value, Symbol):
        value._placed = False
    return value


def _read(
    data: Any, imports: tuple[str, ...], problems: Problems, seen: dict[str, SymbolType]
) -> Any:
    """Read a value; nodes come as placed, because all but the root have a place."""
    if data.__class__ is list:
        return [_read(v, imports, problems, seen) for v in data]
    if data.__class__ is not dict:
        return data
    name = data.get("$")
    if name is None:
        return {k: _read(v, imports, problems, seen) for k, v in data.items()}
    kind = seen.get(name) if isinstance(name, str) else None
    if kind is None:
        if name in ("float", "dict"):
            return _read_special(data, imports, problems, seen)
        kind = CHOICES.get(str(name)) or resolve(str(name), imports)
        seen[str(name)] = kind
    args = {
        k: _read(v, imports, problems, seen) if v.__class__ in (dict, list) else v
        for k, v in data.items()
    }
    del args["$"]
    kind.check(args, problems)
    node = kind.make(args)
    node._placed = True
    return node


def _read_special(
    data: Any, imports: tuple[str, ...], problems: Problems, seen: dict[str, SymbolType]
) -> Any:
    try:
        if data["$"] == "float":
            return float(data["value"])
        pairs = [(_read(k, (), problems, {}), v) for k, v in data["items"]]
        return {k: _read(v, imports, problems, seen) for k, v in pairs}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"not the JSON of a {data['$']}: {str(data)[:80]}") from None


def to_json(value: Any) -> str:
    """Compact JSON text of a tree."""
    return _ENCODER.encode(to_data(value))


def from_json(text: str, imports: Iterable[str] = ()) -> Any:
    """Read `to_json`'s text.

    Raises:
        UserError: text that is not JSON, unknown names, modules that are not listed, arguments
            that do not fit.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {error}") from None
    return from_data(data, imports)


def digest(text: str) -> str:
    """16 hexadecimal digits of a text."""
    import hashlib  # loads OpenSSL: 3 ms that most commands do not need

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits of the content; equal trees have equal fingerprints."""
    return digest(canonical(value))
