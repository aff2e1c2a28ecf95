"""Where the modules under `imports:` are looked for, besides what is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def open_folders(folders: Iterable[str]) -> None:
    """Make the modules in some folders importable.

    Before installed packages, so that a user's `train.py` is theirs; after the standard library,
    so that a `random.py` or `queue.py` beside a recipe does not stand in for Python's own.
    """
    fresh = [folder for folder in folders if folder not in sys.path]
    installed = (
        i for i, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages"))
    )
    at = next(installed, len(sys.path))
    sys.path[at:at] = fresh
