"""Which decisions matter: PED-ANOVA over the finished trials.

Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces" (IJCAI 2023), as implemented by Optuna: how far the distribution of a
decision among the best tenth of the trials is from its distribution among all of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from automl_spaces.objective import Objective

MIN_TRIALS: Final = 20
_MAX_TRIALS: Final = 2000


def importances(
    decisions: Sequence[Mapping[str, Any]], values: Sequence[float], objective: Objective
) -> dict[str, float]:
    """The share of each decision, the most important first; they sum to 1.

    Only decisions that every trial has made and that vary are rated. Empty when there are fewer
    than two of them, or too few trials, or when Optuna is not installed.
    """
    count = len(decisions)
    keys = _rated(decisions) if count >= MIN_TRIALS and len({*values}) > 1 else []
    if len(keys) < 2:
        return {}
    try:
        import optuna
    except ImportError:
        return {}
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    kept = range(0, count, math.ceil(count / _MAX_TRIALS))
    columns = {key: _column([decisions[i][key] for i in kept]) for key in keys}
    distributions = {key: distribution for key, (_, distribution) in columns.items()}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(direction=objective.direction)
            trials = [
                create_trial(
                    params={key: plain[row] for key, (plain, _) in columns.items()},
                    distributions=distributions,
                    value=values[i],
                )
                for row, i in enumerate(kept)
            ]
            study.add_trials(trials)
            return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))
    finally:
        optuna.logging.set_verbosity(verbosity)


def _rated(decisions: Sequence[Mapping[str, Any]]) -> list[str]:
    shared = [key for key in decisions[0] if all(key in d for d in decisions)]
    return [key for key in shared if len({repr(d[key]) for d in decisions}) > 1]


def _column(found: Sequence[Any]) -> tuple[Sequence[float | str], Any]:
    """One decision over the trials, as numbers or else as labels, and Optuna's distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in found):
        labels = [str(value) for value in found]
        return labels, CategoricalDistribution(sorted({*labels}))
    numbers = [float(value) for value in found]
    low, high = min(numbers), max(numbers)
    return numbers, FloatDistribution(low, high, log=low > 0 and high / low > 100)
