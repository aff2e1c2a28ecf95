"""A search that is shown in MLflow: until the last trial is there, and what it costs the loop.

The 20 parameters of `loop`, random search, each trial a nested run with its parameters and its
value, in a fresh SQLite store on the same disk.

Until visible, and until the command ends: wall seconds from typing a command. Visible is what a
query of the store by another process finds, which looks four times a second. Python's imports
and the making of the database are counted for all. Ours is `automl run function -a random`,
which also writes the ledger, the search curve, plots and tables; Optuna is `study.optimize` in
memory with the `MLflowCallback` of optuna-integration; raw is a loop with
`start_run(nested=True)`, `log_params` and `log_metric`.

Slow-down: `Runner.run` of the same search of ours, with tracking on and off. The projection is a
process of its own, so the wall time tells most on a machine with a core to spare; the CPU time
of the driver tells on any. While that process starts, for a second or two, it competes for disk
and cores, which a search of a second feels and a longer one does not: there is a row of each.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from harness import (
    HERE,
    LOG,
    OURS,
    PEERS,
    WORK,
    Row,
    Side,
    faster,
    overhead,
    python,
    settle,
    sides,
)  # fmt: skip


class Waited(NamedTuple):
    """Seconds until every trial could be seen, and until the command ended."""

    visible: float
    done: float


def measure(quick: bool) -> list[Row]:
    """Ours against both peers; then our loop with tracking on against off."""
    repeats, trials = (1, 50) if quick else (3, 100)
    with sides(("mlflow_watch", PEERS), ("loop_ours", OURS)) as (watch, loop):
        waited: dict[str, list[Waited]] = {}
        for _ in range(repeats):
            for name, command in _commands(trials).items():
                waited.setdefault(name, []).append(_wait(command, watch, trials))
        few, many = (2500, 10_000) if quick else (5000, 20_000)
        short, long = (
            [
                [loop.run("spent", trials=n, tracking=on) for on in (True, False)]
                for _ in range(1 if quick else 3)
            ]
            for n in (few, many)
        )
    visible = {name: statistics.median(w.visible for w in found) for name, found in waited.items()}
    done = {name: statistics.median(w.done for w in found) for name, found in waited.items()}
    what = f"{trials} trials, until all are visible in MLflow"
    rows = [
        faster(f"{what}, against Optuna's callback", visible["ours"], visible["optuna"], "s", 1),
        faster(f"{what}, against raw nested runs", visible["ours"], visible["raw"], "s", 1),
        faster("... until the command ends", done["ours"], done["raw"], "s", None),
    ]
    for n, pairs, clock, target in (
        (many, long, "wall", 1.1), (many, long, "CPU", 1.1), (few, short, "wall", None),
    ):  # fmt: skip
        on, off = (statistics.median(pair[i][clock] for pair in pairs) for i in (0, 1))
        what = f"search of {n:,} trials, MLflow on against off, {clock}"
        rows.append(overhead(what, on, off, "s", target))
    return rows


def _commands(trials: int) -> dict[str, list[str]]:
    """What is typed; the path of the database is added."""
    automl = Path(python()).with_name("automl")
    ours = f"{automl} run function -a random -n {trials} --json --tracking-uri"
    peers = {
        peer: [python(PEERS), str(HERE / "sides" / f"mlflow_{peer}.py"), str(trials)]
        for peer in ("optuna", "raw")
    }
    return {"ours": ours.split(), **peers}


def _wait(command: list[str], watch: Side, trials: int) -> Waited:
    with tempfile.TemporaryDirectory(dir=WORK) as folder, LOG.open("a") as log:
        path = f"{folder}/mlflow.db"
        line = [*command, f"sqlite:///{path}"]
        start = time.monotonic()  # the same clock in every process
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=log)
        visible = watch.run("await_runs", path=path, trials=trials) - start
        assert process.wait() == 0, f"{command[0]} failed, see {LOG}"
        done = time.monotonic() - start
        settle(Path(folder))
        return Waited(visible, done)
