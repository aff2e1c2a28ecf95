"""Programs and spaces as JSON: names and data, nothing that could be executed.

A node is `{"$": "MobileNetV2", "width": 0.35}`; lists and tuples are arrays; a mapping is an
object, wrapped as `{"$": "dict", "items": [[key, value], ...]}` where a plain one would be
mistaken for a node. Reading needs no more than the names: a callable is found through
`registry.resolve`, with the caller's list of modules.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from automl_spaces.choices import CHOICES
from automl_spaces.errors import Problems, UserError
from automl_spaces.registry import registered, resolve
from automl_spaces.symbols import Symbol, SymbolType, adopt

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def name_of(type: SymbolType) -> str:
    """The short name where it is registered, else `module:Name`."""
    known = CHOICES.get(type.name) or registered(type.name)
    if known is type or (
        known is not None and (known.module, known.qualname) == (type.module, type.qualname)
    ):
        return type.name
    if "<locals>" in type.qualname or type.module == "__main__":
        raise UserError(
            f"{type.name} cannot be written down: it is defined inside of a function or script",
            hint="move it to a module, or @register it",
        )
    return f"{type.module}:{type.qualname}"


def to_data(value: Any, *, canonical: bool = False) -> Any:
    """Plain JSON data of a tree. `canonical` leaves out arguments that equal their defaults.

    Raises:
        UserError: a value that is not data (an array, an open file, a lambda).
    """
    if isinstance(value, Symbol):
        data = {"$": name_of(value.type)}
        for key, child in value.args.items():
            if canonical and child == value.type.default(key):
                continue
            data[key] = to_data(child, canonical=canonical)
        return data
    if isinstance(value, bool | str | int | type(None)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return int(value) if canonical and value.is_integer() else value
        return {"$": "float", "value": repr(value)}
    if isinstance(value, list | tuple):
        return [to_data(v, canonical=canonical) for v in value]
    if isinstance(value, dict):
        if "$" in value or not all(isinstance(k, str) for k in value):
            items = [[to_data(k), to_data(v, canonical=canonical)] for k, v in value.items()]
            return {"$": "dict", "items": items}
        return {k: to_data(v, canonical=canonical) for k, v in value.items()}
    raise UserError(
        f"a {type(value).__name__} cannot be written down: only nodes, numbers, texts, lists and "
        "mappings can",
        hint="symbolize what makes it",
    )


def from_data(data: Any, imports: Iterable[str] = ()) -> Any:
    """Inverse of `to_data`, with every name resolved and every argument checked."""
    problems = Problems()
    value = _read(data, tuple(imports), problems, {})
    problems.raise_if_any()
    return value


def _read(
    data: Any, imports: tuple[str, ...], problems: Problems, seen: dict[str, SymbolType]
) -> Any:
    if isinstance(data, list):
        return [adopt(_read(v, imports, problems, seen)) for v in data]
    if not isinstance(data, dict):
        return data
    name = data.get("$")
    if name is None:
        return {k: adopt(_read(v, imports, problems, seen)) for k, v in data.items()}
    if name == "float":
        return float(data["value"])
    if name == "dict":
        return {k: adopt(_read(v, imports, problems, seen)) for k, v in data["items"]}
    kind = seen.get(name)
    if kind is None:
        kind = seen[name] = CHOICES.get(name) or resolve(str(name), imports)
    args = {k: adopt(_read(v, imports, problems, seen)) for k, v in data.items() if k != "$"}
    kind.check(args, problems)
    return kind.make(args)


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


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits of the content; equal trees have equal fingerprints."""
    text = json.dumps(to_data(value, canonical=True), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
