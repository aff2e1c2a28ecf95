"""From a path to the value that stands there."""

from __future__ import annotations

from typing import Any

from automl_spaces.errors import PathError, did_you_mean
from automl_spaces.paths import Path, format_path
from automl_spaces.signatures import OPAQUE, REQUIRED
from automl_spaces.symbols import Symbol


def lookup(root: Any, path: Path) -> Any:
    """The value at a path.

    Raises:
        PathError: naming the first key that leads nowhere, with the nearest one.
    """
    value = root
    for depth, key in enumerate(path):
        if isinstance(value, Symbol):
            args = value._args
            found = args[key] if key in args else value._type.default(key)  # type: ignore[arg-type]
            if found is REQUIRED or found is OPAQUE:
                raise _nowhere(value, path, depth)
            value = found
        elif isinstance(value, list | tuple | dict):
            try:
                value = value[key]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                raise _nowhere(value, path, depth) from None
        else:
            raise _nowhere(value, path, depth)
    return value


def _nowhere(value: Any, path: Path, depth: int) -> PathError:
    where, key = format_path(path[:depth]) or "the root", path[depth]
    known: Any = ()
    if isinstance(value, Symbol):
        known = {**value.args, **value.type.signature.params}
    elif isinstance(value, dict):
        known = value
    detail = f"{where} has no {key}"
    if isinstance(value, list | tuple):
        detail = f"{where} has {len(value)} elements, no {format_path((key,))}"
    return PathError(detail, path=format_path(path), hint=did_you_mean(str(key), map(str, known)))
