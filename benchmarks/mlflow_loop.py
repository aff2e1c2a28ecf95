"""A search that is shown in MLflow: until the last trial is there, and what it costs the loop.

The 20 parameters of `loop`, random search, each trial a nested run with its parameters and its
value, in a fresh SQLite store on the same disk.

Until visible: wall seconds from typing the command until a query of the store by somebody else
finds every run finished; Python's imports and the making of the database are counted for all.
Ours is `automl run function -a random -n N`; Optuna is `study.optimize` in memory with the
`MLflowCallback` of optuna-integration; raw is a loop with `start_run(nested=True)`,
`log_params` and `log_metric`.

Slow-down: the same search of ours with tracking on and off, from the first proposal to the last
result as the ledger has them. The projection is a process of its own, so the wall time tells
most on a machine with a core to spare; the CPU time of the driver tells on any.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from harness import HERE, OURS, PEERS, WORK, Row, Side, alternate, faster, overhead, python, sides


def measure(quick: bool) -> list[Row]:
    """Ours against both peers; then our loop with tracking on against off."""
    repeats, n, many = (1, 50, 2000) if quick else (3, 150, 10_000)
    automl = Path(python()).with_name("automl")
    ours = [str(automl), *f"run function -a random -n {n} --json --tracking-uri".split()]
    peers = [[python(PEERS), str(HERE / "sides" / f"mlflow_{peer}.py"), str(n)]
             for peer in ("optuna", "raw")]  # fmt: skip
    with sides(("mlflow_watch", PEERS), ("loop_ours", OURS)) as (watch, loop):
        seconds, optuna, raw = alternate(
            repeats, *(partial(_until_visible, c, watch, n) for c in (ours, *peers))
        )
        pairs = [
            (loop.run("spent", trials=many, tracking=True),
             loop.run("spent", trials=many, tracking=False))
            for _ in range(2 if quick else 5)
        ]  # fmt: skip
    (on, off), (cpu_on, cpu_off) = (
        [statistics.median(pair[side][clock] for pair in pairs) for side in (0, 1)]
        for clock in ("wall", "cpu")
    )
    what = f"{n} trials until the last is visible in MLflow"
    return [
        faster(f"{what}, against Optuna's callback", seconds, optuna, "s", 1),
        faster(f"{what}, against raw nested runs", seconds, raw, "s", 1),
        overhead(f"loop of {many} trials, MLflow on / off, wall", on, off, "s", 1.1),
        overhead(
            f"loop of {many} trials, MLflow on / off, driver's CPU", cpu_on, cpu_off, "s", 1.1
        ),
    ]


def _until_visible(command: list[str], watch: Side, trials: int) -> float:
    """Wall seconds until every trial of a fresh command is a finished nested run."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        start = time.perf_counter()
        done = subprocess.run([*command, uri], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        watch.run("await_runs", uri=uri, trials=trials)
        return time.perf_counter() - start
