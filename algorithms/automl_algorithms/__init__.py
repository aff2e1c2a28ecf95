"""Search algorithms that know decision records and nothing of recipes, ledgers or MLflow.

    from automl_algorithms import sample, Evolution

Names are imported when they are first used, so that listing algorithms imports none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_algorithms.contract import (
        Algorithm,
        Capabilities,
        Exhausted,
        Observation,
        Plan,
        Waiting,
        algorithm,
        check_capabilities,
    )
    from automl_algorithms.multi_trial.bayesian import Bayesian
    from automl_algorithms.multi_trial.evolution import Evolution
    from automl_algorithms.multi_trial.grid import Grid
    from automl_algorithms.multi_trial.random import Random
    from automl_algorithms.pareto import non_dominated
    from automl_algorithms.phased import Phase, Phased
    from automl_algorithms.proposer import Proposal, Proposer
    from automl_algorithms.sampling import Feedback, Result, Sampling, sample

_HOME = {
    "Algorithm": "contract",
    "Bayesian": "multi_trial.bayesian",
    "Capabilities": "contract",
    "Evolution": "multi_trial.evolution",
    "Exhausted": "contract",
    "Feedback": "sampling",
    "Grid": "multi_trial.grid",
    "Observation": "contract",
    "Phase": "phased",
    "Phased": "phased",
    "Plan": "contract",
    "Proposal": "proposer",
    "Proposer": "proposer",
    "Random": "multi_trial.random",
    "Result": "sampling",
    "Sampling": "sampling",
    "Waiting": "contract",
    "algorithm": "contract",
    "check_capabilities": "contract",
    "non_dominated": "pareto",
    "sample": "sampling",
}

__all__ = [
    "Algorithm",
    "Bayesian",
    "Capabilities",
    "Evolution",
    "Exhausted",
    "Feedback",
    "Grid",
    "Observation",
    "Phase",
    "Phased",
    "Plan",
    "Proposal",
    "Proposer",
    "Random",
    "Result",
    "Sampling",
    "Waiting",
    "algorithm",
    "check_capabilities",
    "non_dominated",
    "sample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
