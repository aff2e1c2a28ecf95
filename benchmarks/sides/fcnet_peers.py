"""The peers' side of `fcnet`: one search of 100 trials each, on the same table.

Candidates that are numbers are given to the peers in their order, as integers that count them:
that is better for all three than to call them categories.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

from automl_cli.tables.fcnet import PARAMETERS, fcnet_key, fcnet_table

Values = tuple[object, ...]


def search(peer: str, dataset: str, seed: int, trials: int) -> list[float]:
    """The best mean validation error so far after each trial.

    The search sees one recorded training of a setting, drawn at random as ours does; what counts
    is the mean over all four recorded trainings of the setting that looked best.
    """
    table, noise = fcnet_table(dataset), random.Random(seed)
    seen: list[float] = []
    means: list[float] = []

    def objective(values: Values) -> float:
        setting = table[fcnet_key(values)]
        mse = noise.choice(setting.trainings).mse
        seen.append(mse)
        means.append(setting.mse)
        return mse

    {"tpe": _optuna, "gp": _optuna, "hyperopt": _hyperopt}[peer](objective, peer, seed, trials)
    found, best = [], 0
    for i, mse in enumerate(seen):
        best = i if mse < seen[best] else best
        found.append(means[best])
    return found


def _optuna(objective: Callable[[Values], float], peer: str, seed: int, trials: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    samplers = optuna.samplers
    sampler = samplers.TPESampler(seed=seed) if peer == "tpe" else samplers.GPSampler(seed=seed)
    study = optuna.create_study(direction="minimize", sampler=sampler)

    def ask(trial: optuna.Trial, name: str, values: Values) -> object:
        if isinstance(values[0], str):
            return trial.suggest_categorical(name, list(values))
        return values[trial.suggest_int(name, 0, len(values) - 1)]

    study.optimize(
        lambda trial: objective(tuple(ask(trial, n, v) for n, v in PARAMETERS.items())),
        n_trials=trials,
    )


def _hyperopt(objective: Callable[[Values], float], peer: str, seed: int, trials: int) -> None:
    import hyperopt
    import numpy as np

    def place(name: str, values: Values) -> object:
        if isinstance(values[0], str):
            return hyperopt.hp.choice(name, range(len(values)))
        return hyperopt.hp.quniform(name, 0, len(values) - 1, 1)

    space = [place(name, values) for name, values in PARAMETERS.items()]
    hyperopt.fmin(
        lambda places: objective(
            tuple(v[int(i)] for i, v in zip(places, PARAMETERS.values(), strict=True))
        ),
        space,
        algo=hyperopt.tpe.suggest,
        max_evals=trials,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )
