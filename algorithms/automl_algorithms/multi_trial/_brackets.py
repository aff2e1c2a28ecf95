"""Successive halving on paper: how many configurations are trained how far.

A rung is a number of configurations and the budget that each of them reaches; a bracket is the
rungs of one successive halving, in which the best 1/eta of a rung climb to the next. Hyperband
goes through brackets from the boldest (many configurations, a small first budget) to the one
that trains everything in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_DUST = 1e-9  # of binary fractions: 0.1 * 3 * 3 is 0.9


class Rung(NamedTuple):
    """How many configurations are trained up to which budget."""

    size: int
    budget: float


def budgets(full: float, least: float, eta: float, *, whole: bool) -> list[float]:
    """The budgets full / eta^k that are at least `least`, the smallest first.

    Args:
        full: of the last rung.
        least: of the first one, at least.
        eta: how many times more each rung gets than the one below; at least 2, so that whole
            budgets differ.
        whole: round down to whole steps, but for the full budget.
    """
    count = 1
    while full / eta**count >= least * (1 - _DUST):
        count += 1
    found = [full / eta**k for k in reversed(range(count))]
    return [float(math.floor(b + _DUST)) for b in found[:-1]] + [full] if whole else found


def hyperband(budgets: Sequence[float], eta: float) -> list[list[Rung]]:
    """The brackets of Li et al. 2018 (JMLR 18, Algorithm 1), the boldest first.

    With s_max + 1 budgets, bracket s = s_max .. 0 begins with n = ceil((s_max + 1) eta^s / (s + 1))
    configurations; its rung i has floor(n / eta^i) of them.
    """
    rungs = len(budgets)
    return [
        _bracket(math.ceil(rungs * eta**s / (s + 1) - _DUST), budgets[rungs - 1 - s :], eta)
        for s in reversed(range(rungs))
    ]


def hpbandster(budgets: Sequence[float], eta: float) -> list[list[Rung]]:
    """The brackets of HpBandSter, the code of Falkner et al. 2018: fewer configurations.

    n = floor((s_max + 1) / (s + 1)) eta^s, rounded down.
    """
    rungs = len(budgets)
    return [
        _bracket(math.floor(rungs // (s + 1) * eta**s + _DUST), budgets[rungs - 1 - s :], eta)
        for s in reversed(range(rungs))
    ]


def _bracket(n: int, budgets: Sequence[float], eta: float) -> list[Rung]:
    return [
        Rung(max(1, math.floor(n / eta**i + _DUST)), budget) for i, budget in enumerate(budgets)
    ]
