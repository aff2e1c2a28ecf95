"""The program of `parallel`."""

from __future__ import annotations

import time


def nap(seconds: float, x: float = 0.0) -> float:
    """Sleep, and return x."""
    time.sleep(seconds)
    return x
