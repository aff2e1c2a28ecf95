"""The costs that a search is to meet, and how they enter its reward."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from automl_spaces.errors import UserError

Shape = Literal["absolute", "hinge", "mnas", "mnas_hard"]
"""How a cost enters the reward Q, x being its ratio to the target.

- absolute: Q + beta |x - 1|.
- hinge: Q + beta max(0, x - 1): cheaper is as good.
- mnas: Q x^beta.
- mnas_hard: Q min(1, x^beta).
"""


def shaped(reward: float, ratio: float, shape: Shape, beta: float) -> float:
    """The reward, changed by a cost of so many times its target."""
    match shape:
        case "absolute":
            return reward + beta * abs(ratio - 1)
        case "hinge":
            return reward + beta * max(0.0, ratio - 1)
        case "mnas":
            return float(reward * ratio**beta)
        case "mnas_hard":
            return float(reward * min(1.0, ratio**beta))


def targets(
    bounds: Mapping[str, tuple[float, float]],
    cost: str | None,
    target: float | None,
    shape: Shape | None,
) -> dict[str, tuple[float, Shape]]:
    """The target and the shape of each cost that counts.

    Args:
        bounds: those of the recipe's constraints, by cost.
        cost: the only one that counts; None: all that are bounded.
        target: of that cost; None: the middle of its bounds, or the one bound that there is.
        shape: None: absolute, but hinge for a cost with an upper bound only.

    Raises:
        UserError: a cost without a target, a target without a cost, or one that is not positive.
    """
    if cost is not None:
        bounds = {cost: bounds.get(cost, (-math.inf, math.inf))}
    elif target is not None:
        raise UserError("a target needs a cost: {name: tunas, cost: madds, target: 3.0e+8}")
    found: dict[str, tuple[float, Shape]] = {}
    for name, (low, high) in bounds.items():
        ends = [end for end in (low, high) if math.isfinite(end)]
        if target is None and not ends:
            raise UserError(
                f"what is the target of {name}?",
                hint=f"target: ..., or constraints: {{{name}: {{max: ...}}}} in the recipe",
            )
        wanted = sum(ends) / len(ends) if target is None else target
        if wanted <= 0:
            raise UserError(f"the target of {name} must be positive, not {wanted:g}")
        one_sided = target is None and ends == [high]
        found[name] = wanted, shape or ("hinge" if one_sided else "absolute")
    return found
