"""Optuna's side of `algorithms`."""

from __future__ import annotations

import random
import statistics
import time
import warnings

import optuna

KINDS, NUMBERS = 15, 5
CANDIDATES = ("a", "b", "c", "d", "e")
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def cost(trials: int, measured: int) -> float:
    """Median microseconds of a trial by TPE, after so many trials: ask, suggest, tell."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    distributions = {
        **{f"kind{i}": optuna.distributions.CategoricalDistribution(CANDIDATES)
           for i in range(KINDS)},
        **{f"number{i}": optuna.distributions.FloatDistribution(0.0, 1.0) for i in range(NUMBERS)},
    }  # fmt: skip
    rng = random.Random(0)
    for _ in range(trials):
        params = {
            name: rng.choice(CANDIDATES) if name.startswith("kind") else rng.random()
            for name in distributions
        }
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=distributions, value=_reward(params)
            )
        )
    spent = []
    for _ in range(measured):
        start = time.perf_counter()
        trial = study.ask(distributions)
        asked = time.perf_counter()
        value = _reward(trial.params)
        told = time.perf_counter()
        study.tell(trial, value)
        spent.append(time.perf_counter() - told + asked - start)
    return statistics.median(spent) * 1e6


def _reward(params: dict[str, float | str]) -> float:
    kinds = [CANDIDATES.index(params[f"kind{i}"]) for i in range(KINDS)]
    numbers = [params[f"number{i}"] for i in range(NUMBERS)]
    return -sum(kinds) - sum((x - 0.3) ** 2 for x in numbers)
