"""The scale of a number: how the unit interval is laid over [min, max].

- linear: equal steps are equally likely.
- log: equal ratios are equally likely; min must be above 0.
- reverse_log: as log, mirrored, so that values near max are the dense ones (for a momentum in
  [0.5, 0.999]); min must be above 0.
"""

from __future__ import annotations

import math
from typing import Final

SCALES: Final = ("linear", "log", "reverse_log")


def from_unit(u: float, low: float, high: float, scale: str) -> float:
    """The number at a position u in [0, 1]; never outside of [low, high], at its ends exact."""
    if u <= 0.0 or u >= 1.0:
        return low if u <= 0.0 else high
    if scale == "linear":
        value = low + u * (high - low)
    elif scale == "log":
        value = low * (high / low) ** u
    else:
        value = low + high - low * (high / low) ** (1.0 - u)
    return min(max(value, low), high)


def to_unit(value: float, low: float, high: float, scale: str) -> float:
    """Inverse of `from_unit`; 0 for an interval of one number."""
    if high == low:
        return 0.0
    if scale == "linear":
        u = (value - low) / (high - low)
    elif scale == "log":
        u = math.log(value / low) / math.log(high / low)
    else:
        u = 1.0 - math.log((low + high - value) / low) / math.log(high / low)
    return min(max(u, 0.0), 1.0)


def grid_size(low: float, high: float, step: float) -> int:
    """How many numbers low, low + step, ... there are up to high."""
    if isinstance(step, int) and isinstance(low, int) and isinstance(high, int):
        return (high - low) // step + 1
    return math.floor((high - low) / step + 1e-9) + 1


def grid_value(index: int, low: float, step: float) -> float:
    """The number at a place of the grid, without the dust of binary fractions."""
    value = low + index * step
    if isinstance(value, int) or index == 0:
        return value
    return round(value, 12 - math.floor(math.log10(step)))
