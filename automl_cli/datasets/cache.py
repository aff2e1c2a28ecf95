"""Prepared data in the user's cache folder: safe to lose, to break and to write twice at once."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/automl`, or `~/.cache/automl`. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "automl"


def cached_arrays(
    name: str, expected: Mapping[str, tuple[tuple[int, ...], str]], make: Callable[[], Arrays]
) -> Arrays:
    """The arrays in the cache file `name`; made, and kept for the next time, when it lacks them.

    A file that is missing, broken or not as `expected` is made anew. A folder that cannot be
    written only costs time.

    Args:
        name: of the file; carries a version, to be raised when `make` changes.
        expected: (shape, dtype name) of each array.
        make: computes the arrays.
    """
    path = cache_folder() / f"{name}.npz"
    found = _load(path)
    if found is not None and expected == {k: (v.shape, v.dtype.name) for k, v in found.items()}:
        return found
    made = make()
    with suppress(OSError):
        _save(path, made)
    return made


def _load(path: Path) -> Arrays | None:
    import numpy as np

    try:
        # Opened here: NumPy leaves a torn file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        return None


def _save(path: Path, arrays: Arrays) -> None:
    """Write beside the place and rename: a reader sees the whole file or none."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes `allow_pickle` too
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
