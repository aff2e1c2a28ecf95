"""The best so far over the trials of a search, and its quantiles over the seeds of a group.

Arrays of one study have one entry per finished trial, in the order of finishing. Rewards are to
be large; NaN stands for a trial without a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_POINTS: Final = 400  # more than a picture can show


class Band(NamedTuple):
    """Quantiles over seeds: `x` is float64 [points], `levels` float64 [len(QUANTILES), points]."""

    x: Floats
    levels: Floats


def incumbents(rewards: Floats, budgets: Floats) -> Integers:
    """The position of the best trial so far after each trial; -1 before the first result.

    The best trial is, of those that were granted the highest budget, the one of the best value;
    of equals the first.

    Args:
        rewards: float64 [n].
        budgets: float64 [n], the fidelity granted, infinite for all of it.
    """
    count = len(rewards)
    places = np.arange(count)
    told = np.isfinite(rewards)
    order = np.lexsort((-places, rewards, budgets, told))
    ranks = np.empty(count, np.int64)
    ranks[order] = places
    ranks[~told] = -1
    best = np.maximum.accumulate(ranks)
    return np.where(best < 0, -1, order[best])


def best_of(rewards: Floats, budgets: Floats) -> int | None:
    """The position of the best trial; None when no trial has a result."""
    if not len(rewards):
        return None
    best = int(incumbents(rewards, budgets)[-1])
    return None if best < 0 else best


def taken(values: Floats, positions: Integers) -> Floats:
    """The values at these positions, NaN for a position of -1."""
    return np.where(positions < 0, np.nan, values[positions])


def band(positions: Sequence[Floats], curves: Sequence[Floats]) -> Band:
    """Quantiles over seeds of curves that hold their value until the next trial.

    The band ends where half of the curves end: neither a single interrupted search cuts it
    short, nor does a single long one stand for all. Until there a shorter curve keeps its last
    value. It begins where at least half of the curves have a value.

    Args:
        positions: per seed, float64 [n], increasing: where on the x axis each trial ends.
        curves: per seed, float64 [n], the best so far.
    """
    kept = [(p, c) for p, c in zip(positions, curves, strict=True) if len(p)]
    if not kept:
        return Band(np.empty(0), np.empty((len(QUANTILES), 0)))
    grid = _grid([p for p, _ in kept])
    rows = [taken(c, np.searchsorted(p, grid, side="right") - 1) for p, c in kept]
    matrix = np.stack(rows)
    known = np.count_nonzero(~np.isnan(matrix), axis=0)
    shown = known >= max(1, (len(kept) + 1) // 2)
    whole = matrix[:, shown]
    # What skips NaN is much slower, and needed for the first trials at most.
    quantile = np.quantile if np.all(known[shown] == len(kept)) else np.nanquantile
    levels = quantile(whole, QUANTILES, axis=0) if whole.size else np.empty((len(QUANTILES), 0))
    return Band(grid[shown], levels)


def _grid(positions: Sequence[Floats]) -> Floats:
    """At most `_POINTS` places up to where half of the curves end; whole ones for trials."""
    ends = sorted(float(p[-1]) for p in positions)
    end = ends[(len(ends) - 1) // 2]
    if all(p[0] == 1.0 and p[-1] == len(p) for p in positions):
        return np.unique(np.linspace(1, end, min(_POINTS, int(end))).round())
    return np.linspace(0.0, end, _POINTS)
