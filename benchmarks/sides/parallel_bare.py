"""The floor of `parallel`: a bare process pool of the standard library."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from sides.naps import nap


def wall(trials: int, seconds: float, workers: int) -> float:
    """Seconds for all naps on workers that are up."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        list(pool.map(nap, [0.2] * workers))
        start = time.perf_counter()
        list(pool.map(nap, [seconds] * trials))
        return time.perf_counter() - start
