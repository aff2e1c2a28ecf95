"""How well one ranking agrees with another: Kendall's tau-b (Kendall 1945, Biometrika 33)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b of two lists of values of the same things.

        tau = (C - D) / sqrt((P - T1) (P - T2))

    of P pairs, C of which are in the same order in both lists, D in opposite orders, T1 and T2
    tied in one of them.

    Returns:
        -1 to 1; NaN when all values of a list are equal, or there are less than two.
    """
    balance = tied_first = tied_second = pairs = 0
    for (a, x), (b, y) in itertools.combinations(zip(first, second, strict=True), 2):
        pairs += 1
        tied_first += a == b
        tied_second += x == y
        balance += ((a > b) - (a < b)) * ((x > y) - (x < y))
    scale = math.sqrt((pairs - tied_first) * (pairs - tied_second))
    return balance / scale if scale else math.nan
