"""Our side of `algorithms`."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from automl_algorithms import catalogue
from automl_algorithms.contract import Algorithm, Observation, Plan
from automl_algorithms.proposer import attempt_rng, planned
from automl_spaces import floatv, oneof
from automl_spaces.objective import Objective
from automl_spaces.space import Space

KINDS, NUMBERS = 15, 5
# Here no program has epochs, and no number a step; pbt needs an interval for thousands of trials.
NEEDED = {"max_budget": 3**9, "interval": 3, "resolution": 3}


def names() -> list[str]:
    """Every multi-trial algorithm that ships."""
    return catalogue.names(family="multi_trial")


def space() -> Space:
    """15 categorical decisions of 5 candidates and 5 numbers."""
    kinds = [oneof(["a", "b", "c", "d", "e"]) for _ in range(KINDS)]
    numbers = [floatv(0.0, 1.0) for _ in range(NUMBERS)]
    return Space.compile({"kinds": kinds, "numbers": numbers})


def reward(values: Any) -> float:
    """A separable function of the decisions, best at candidate 0 and at 0.3."""
    kinds, numbers = values[:KINDS], values[KINDS:]
    return -sum(kinds) - sum((x - 0.3) ** 2 for x in numbers)


def cost(name: str, trials: int, measured: int) -> float:
    """Median microseconds of propose and feedback together, after so many trials."""
    known = catalogue.signature(name).params
    options = {option: value for option, value in NEEDED.items() if option in known}
    algorithm: Algorithm = catalogue.create(name, options)
    searched = space()
    algorithm.setup(searched, [Objective("score")], 0)
    if algorithm.capabilities.multi_fidelity:
        spent = [_trial(algorithm, i) for i in range(trials + measured)][trials:]
        return statistics.median(spent) * 1e6
    rng = random.Random(0)
    for i in range(trials):  # as a resumed search does: quicker than to propose them all
        plan = Plan(searched.sample(rng))
        algorithm.restore(i, plan)
        algorithm.feedback(Observation(i, plan, "completed", (reward(plan.decisions.values),)))
    return statistics.median(_trial(algorithm, trials + i) for i in range(measured)) * 1e6


def _trial(algorithm: Algorithm, number: int) -> float:
    rng = attempt_rng(0, number, 0)
    start = time.perf_counter()
    plan = planned(algorithm.propose(number, rng))
    proposed = time.perf_counter()
    value = reward(plan.decisions.values)
    told = time.perf_counter()
    algorithm.feedback(Observation(number, plan, "completed", (value,)))
    return time.perf_counter() - told + proposed - start
