"""The whole search loop with nothing to evaluate, against Optuna 5: trials per second.

20 parameters of every kind (8 floats, 5 integers, 6 categories, a log-scaled float), random
search, one trial at a time, on the same disk. Wall time, since storage is what is measured.

Ours: everything that `automl run function -a random --no-mlflow` does after Python's imports:
read the recipe, create the ledger, propose, record, run, record, feed back, sum up. The ledger
survives a kill of the process at any moment; like every WAL file with `synchronous = NORMAL` it
may lose its last seconds in a power cut. The last row syncs every write, as Optuna does.

Optuna: `study.optimize` with `RandomSampler`. Creating the study and its tables is not counted,
and it runs fewer trials, because a trial of its gets slower as there are more.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, PEERS, Row, alternate, faster, sides


def measure(quick: bool) -> list[Row]:
    """Against SQLite and the journal file; then the same with every write of ours synced."""
    repeats, n = (3, 1000) if quick else (5, 3000)
    few, some = (15, 100) if quick else (40, 300)
    with sides(("loop_ours", OURS), ("loop_optuna", PEERS)) as (ours, optuna):
        rate, synced, sqlite, journal = alternate(
            repeats,
            partial(ours.run, "rate", trials=n),
            partial(ours.run, "synced_rate", trials=some),
            partial(optuna.run, "rate", storage="sqlite", trials=few),
            partial(optuna.run, "rate", storage="journal", trials=some),
        )
    return [
        faster("search loop against Optuna's SQLite storage", rate, sqlite, "trials/s", 50),
        faster("search loop against Optuna's journal file", rate, journal, "trials/s", 5),
        faster("... every write synced, against SQLite", synced, sqlite, "trials/s", None),
        faster("... every write synced, against the journal", synced, journal, "trials/s", None),
    ]
