"""Plain functions as programs: nothing to build, nothing to train, a value at once."""

from __future__ import annotations

import math

from automl_spaces.registry import register


@register
def branin(x1: float = 0.0, x2: float = 7.5) -> float:
    """Branin's function (Dixon and Szego 1978), to be minimised.

    For x1 in [-5, 10] and x2 in [0, 15]; three minima of 0.397887.
    """
    a = x2 - 5.1 / (4 * math.pi**2) * x1**2 + 5 / math.pi * x1 - 6
    return a * a + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x1) + 10


@register
def mixed_bowl(
    floats: list[float],
    integers: list[int],
    kinds: list[str],
    lr: float = 0.1,
) -> float:
    """A bowl over parameters of every kind, to be minimised; 0 at the bottom.

    The bottom lies at 0.3 for each float, 3 for each integer, "a" for each kind and 0.01 for lr,
    which counts by its logarithm.
    """
    return (
        sum((x - 0.3) ** 2 for x in floats)
        + sum((n - 3) ** 2 for n in integers) / 10
        + sum(kind != "a" for kind in kinds)
        + math.log10(lr / 0.01) ** 2
    )
