"""Optuna's side of `loop`."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.WARNING)
_seeds = itertools.count()


def mixed_bowl(trial: optuna.Trial) -> float:
    """The same 20 parameters and the same value as the recipe `function`."""
    floats = [trial.suggest_float(f"float{i}", 0.0, 1.0) for i in range(8)]
    integers = [trial.suggest_int(f"integer{i}", 0, 10) for i in range(5)]
    kinds = [trial.suggest_categorical(f"kind{i}", ["a", "b", "c", "d"]) for i in range(6)]
    lr = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    return (
        sum((x - 0.3) ** 2 for x in floats)
        + sum((n - 3) ** 2 for n in integers) / 10
        + sum(kind != "a" for kind in kinds)
        + math.log10(lr / 0.01) ** 2
    )


def rate(storage: str, trials: int, seconds: float) -> float:
    """Trials per second, of `trials` or as many as `seconds` allow."""
    return _rate(Path.cwd(), storage, trials, seconds, time.perf_counter)


def cpu_rate(storage: str, trials: int, seconds: float) -> float:
    """Trials per second of CPU time, with the storage in memory."""
    return _rate(Path("/dev/shm"), storage, trials, seconds, time.process_time)


def _rate(
    where: Path, storage: str, trials: int, seconds: float, clock: Callable[[], float]
) -> float:
    with tempfile.TemporaryDirectory(dir=where) as folder:
        kept: BaseStorage
        if storage == "sqlite":
            kept = RDBStorage(f"sqlite:///{folder}/study.db")
        else:
            kept = JournalStorage(JournalFileBackend(f"{folder}/study.log"))
        sampler = optuna.samplers.RandomSampler(next(_seeds))
        study = optuna.create_study(storage=kept, sampler=sampler)
        start = clock()
        study.optimize(mixed_bowl, n_trials=trials, timeout=seconds)
        spent = clock() - start
        return len(study.trials) / spent
