"""From a symbol's name to the callable behind it, and to its signature.

Importing happens here and nowhere else. What a *recipe* may import is decided in `registry`:
this module is given names that were allowed already.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_spaces.errors import UserError
from automl_spaces.signatures import Signature, from_callable, from_source

if TYPE_CHECKING:
    from automl_spaces.symbols import SymbolType


def import_module(name: str) -> Any:
    """Import a module of the user's; what fails inside of it is told as the user's error."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the user's module raises is theirs to see
        import traceback

        reason = f"{type(error).__name__}: {error}"
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if "<frozen" not in f.filename
        ]
        where = f" (at {frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""
        raise UserError(f"cannot import {name}: {reason}{where}") from error


def load_target(module: str, qualname: str) -> Callable[..., Any]:
    """Import the callable `module:qualname`.

    Raises:
        UserError: when the module cannot be imported, has no such name, or it is not callable.
    """
    target: Any = import_module(module)
    for name in qualname.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise UserError(f"{module} has no {qualname}") from None
    if hasattr(type(target), "__instancecheck__") and type(target).__name__ == "SymbolType":
        target = target.target  # the module symbolised it; the callable is inside
    if not callable(target):
        raise UserError(f"{module}:{qualname} is a {type(target).__name__}, not a callable")
    return target  # type: ignore[no-any-return]


def read_signature(type: SymbolType) -> Signature:
    """From the module's text where that tells, else from the imported callable."""
    if type.source is not None:
        try:
            found = from_source(Path(type.source).read_text(encoding="utf-8"), type.qualname)
        except OSError:
            found = None
        if found is not None:
            return found
    return from_callable(type.target)
