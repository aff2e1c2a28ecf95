"""The algorithms side by side: which decisions each accepts, and what its searches cost.

Rows are those of the comparison in the talk of Dong et al. on AutoHAS (2020). What an algorithm
accepts is what it declares, and its row follows from that; `tests/automl_cli/
test_capabilities_table.py` runs every tick and every cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from automl_algorithms import catalogue
from automl_algorithms.contract import DECISIONS
from automl_cli.report_costs import Cost


class Method(StrEnum):
    """The rows of the talk, in its order."""

    BAYESIAN = "Bayesian"
    TRIALS = "RL, evolution, ..."
    POPULATION = "PBT"
    RATE = "gradient descent on LR"
    HYPERGRADIENT = "hypergradient"
    SHARING = "NAS (weight sharing)"
    JOINT = "AutoHAS"


_IN_NETWORK: Final = frozenset({"architecture", "dropout"})


class AlgorithmRow(NamedTuple):
    """One algorithm.

    Args:
        accepts: of `contract.DECISIONS`.
        costs: of its searches.
    """

    method: Method
    algorithm: str
    accepts: frozenset[str]
    costs: Sequence[Cost]

    @property
    def trainings(self) -> list[float]:
        """Of each search where they are known."""
        return [cost.trainings for cost in self.costs if cost.trainings is not None]

    @property
    def memory(self) -> list[float]:
        """Of each search where it is known."""
        return [cost.memory for cost in self.costs if cost.memory is not None]

    def as_data(self) -> dict[str, Any]:
        """For a program."""
        return {
            "method": self.method.value,
            "algorithm": self.algorithm,
            "accepts": {kind: kind in self.accepts for kind in DECISIONS},
            "searches": [cost._asdict() for cost in self.costs],
        }


def algorithm_rows(costs: Iterable[tuple[str, Cost]]) -> list[AlgorithmRow]:
    """All algorithms, in the order of their methods.

    Args:
        costs: of searches, each with the name of its algorithm.
    """
    found: dict[str, list[Cost]] = {}
    for name, cost in costs:
        found.setdefault(name, []).append(cost)
    rows = [
        AlgorithmRow(method_of(e.name), e.name, catalogue.accepts(e.name), found.get(e.name, []))
        for e in catalogue.entries()
    ]
    return sorted(rows, key=lambda row: list(Method).index(row.method))


def method_of(name: str) -> Method:
    """The row of the talk that an algorithm belongs to, by what it declares."""
    accepts = catalogue.accepts(name)
    if catalogue.entry(name).family != "weight_sharing":
        able = catalogue.capabilities(name)
        if able.fixed_architecture:
            return Method.POPULATION
        return Method.BAYESIAN if able.model else Method.TRIALS
    if accepts <= _IN_NETWORK:
        return Method.SHARING
    if "learning_rate" not in accepts:
        return Method.HYPERGRADIENT
    return Method.JOINT if "architecture" in accepts else Method.RATE
