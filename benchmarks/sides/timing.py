"""CPU time of small operations."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_ms(operation: Callable[[], object], seconds: float) -> float:
    """CPU milliseconds per call: the mean over calls that take about `seconds` together.

    The garbage collector stays on: it is part of what a user pays.
    """
    operation()
    calls, spent = 1, 0.0
    while True:
        start = time.process_time()
        for _ in range(calls):
            operation()
        spent = time.process_time() - start
        if spent >= seconds / 2:
            return spent / calls * 1000
        calls = max(calls * 2, int(calls * seconds / max(spent, 1e-6)))
