"""200 trials of 50 ms on 2 workers: wall time against the 5.0 s that it takes at best.

The whole runner with its ledger and the pool of worker processes, random search. Counted from
the moment the workers are up to the end of `Runner.run`, which is when the last result is
recorded. A trial sleeps, so that two of them fit on any machine; each one's own overrun of the
50 ms is part of what is counted.

The other row is a floor: `concurrent.futures.ProcessPoolExecutor` with the same 200 sleeps,
nothing proposed, nothing recorded, every task queued in advance.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, Row, alternate, overhead, sides

TRIALS, SECONDS, WORKERS = 200, 0.05, 2


def measure(quick: bool) -> list[Row]:
    """Ours against the ideal, and against a bare pool."""
    options = {"trials": TRIALS, "seconds": SECONDS, "workers": WORKERS}
    with sides(("parallel_ours", OURS), ("parallel_bare", OURS)) as (ours, bare):
        spent, floor = alternate(
            1 if quick else 3, partial(ours.run, "wall", **options),
            partial(bare.run, "wall", **options),
        )  # fmt: skip
    ideal = TRIALS * SECONDS / WORKERS
    what = f"{TRIALS} trials of {SECONDS * 1000:g} ms on {WORKERS} workers"
    return [
        overhead(f"{what}, against the ideal", spent, ideal, "s", 1.05),
        overhead(f"{what}, against a bare process pool", spent, floor, "s", None),
    ]
