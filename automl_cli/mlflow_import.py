"""What makes the start of MLflow quicker, a process's first connection above all.

Importing MLflow and making a database take some two seconds, of which this saves a third.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Any, cast


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Make a million objects that stay: they are not searched for garbage, now or later.

    Whatever else is alive or waits to be collected stays as well, so this is for once a process.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Packages that cannot be imported meanwhile, unless they have been: as if not installed."""
    modules = cast(dict[str, Any], sys.modules)
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))  # None ends the search for a module
    try:
        yield
    finally:
        for name in absent:
            del modules[name]
