"""The whole search loop with nothing to evaluate, against Optuna 5: trials per second.

20 parameters of every kind (8 floats, 5 integers, 6 categories, a log-scaled float), random
search, one trial at a time, on the same disk.

Ours: everything that `automl run function -a random --no-mlflow` does after Python's imports:
read the recipe, create the ledger, propose, record, run, record, feed back, sum up. The ledger
survives a kill of the process at any moment; like every WAL file with `synchronous = NORMAL` it
may lose its last seconds in a power cut.

Optuna: `study.optimize` with `RandomSampler`. Creating the study and its tables is not counted,
and it runs fewer trials, because a trial of its gets slower as there are more.

Optuna syncs 16 (journal) or 88 (SQLite) times a trial, which a busy disk punishes. So two more
pairs of rows tell the rest: ours with every write synced, and all of them in memory (tmpfs), in
trials per second of CPU time.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, PEERS, Row, alternate, faster, sides

STORAGES = {"sqlite": "Optuna's SQLite storage", "journal": "Optuna's journal file"}


def measure(quick: bool) -> list[Row]:
    """Three rows for each of Optuna's storages."""
    repeats, n, few, seconds = (2, 1000, 60, 2) if quick else (5, 3000, 300, 4)
    with sides(("loop_ours", OURS), ("loop_optuna", PEERS)) as (ours, optuna):
        runs = {
            "rate": partial(ours.run, "rate", trials=n),
            "synced": partial(ours.run, "synced_rate", trials=few),
            "cpu": partial(ours.run, "cpu_rate", trials=n),
        }
        for storage in STORAGES:
            limits = {"storage": storage, "trials": few, "seconds": seconds}
            runs[f"{storage} rate"] = partial(optuna.run, "rate", **limits)
            runs[f"{storage} cpu"] = partial(optuna.run, "cpu_rate", **limits)
        found = dict(zip(runs, alternate(repeats, *runs.values()), strict=True))
    rows = []
    for (storage, name), target in zip(STORAGES.items(), (50, 5), strict=True):
        rate, cpu = found[f"{storage} rate"], found[f"{storage} cpu"]
        rows += [
            faster(f"search loop against {name}", found["rate"], rate, "trials/s", target),
            faster("... every write of ours synced", found["synced"], rate, "trials/s", None),
            faster("... in memory, per CPU second", found["cpu"], cpu, "trials/s", None),
        ]
    return rows
