"""Constraints: bounds on a metric, and what of the reward is left outside of them.

A bound alone is a filter: a proposal outside is never run. With a `reward` it is run, and the
algorithm is told a reward that its distance from the bound changes. With a metric c, a target T
and x = c / T for an upper bound, x = T / c for a lower one (so that x > 1 is outside):

    hard      R x^w outside, R inside, w = -1             NAHAS (Zhou et al. 2021, arXiv 2102.08619)
    soft      R x^w on either side, w = -0.07             and MnasNet (Tan et al. 2019, eq. 2)
    absolute  R + w |c / T - 1|, w = -0.07                TuNAS (Bender et al. 2020, section 3.1)

A reward below zero, as of a metric that is to be small, is divided by x^w where one above zero is
multiplied: so in `hard` and `soft` more of the cost is never better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from automl_spaces.objective import Objective

Reward = Literal["", "hard", "soft", "absolute"]
WEIGHTS: Final[Mapping[str, float]] = {"hard": -1.0, "soft": -0.07, "absolute": -0.07}
FARTHEST: Final = 1e6  # a ratio beyond it counts as this: rewards stay finite


class Constraint(NamedTuple):
    """Bounds on a metric, both inclusive.

    Args:
        low, high: the lowest and the highest value accepted; infinite for none.
        reward: how the algorithm hears of what lies outside; empty: it is not run at all.
        weight: w above, not positive; for `absolute` in units of the objective.
    """

    low: float = -math.inf
    high: float = math.inf
    reward: Reward = ""
    weight: float = 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value accepted."""
        return self.low, self.high

    @property
    def ends(self) -> list[float]:
        """The bounds that are finite."""
        return [end for end in self.bounds if math.isfinite(end)]

    @property
    def target(self) -> float:
        """T of `soft` and `absolute`: the one bound, or the middle of both."""
        return sum(self.ends) / len(self.ends)

    def fault(self) -> str:
        """Why these bounds and this reward do not go together; empty when they do."""
        if not self.low <= self.high:
            return f"min {self.low:g} is above max {self.high:g}"
        if not self.reward:
            return ""
        if not self.weight <= 0:
            return f"the weight {self.weight:g} would reward the cost: it must not be positive"
        if not all(end > 0 for end in self.ends):
            return f"a {self.reward} reward needs bounds above 0: it goes by the ratio to them"
        if self.reward == "soft" and len(self.ends) > 1:
            return "a soft reward has one target: give min or max"
        return ""

    def met(self, value: float) -> bool:
        """Whether a value is within the bounds; NaN is not."""
        return self.low <= value <= self.high

    def shaped(self, reward: float, value: float) -> float:
        """The reward of a trial with this value of the metric; see the module."""
        if self.reward == "absolute":
            return reward + self.weight * min(abs(value / self.target - 1), FARTHEST)
        if not self.reward or (self.reward == "hard" and self.met(value)):
            return reward
        above = value > self.high if self.reward == "hard" else math.isfinite(self.high)
        ratio = _ratio(value, self.high) if above else _ratio(self.low, value)
        factor = math.pow(ratio, self.weight)
        return reward * factor if reward > 0 else reward / factor

    def __str__(self) -> str:
        """As a recipe spells it: `<= 0.3`, `>= 1`, `0.2 .. 0.3`."""
        if not math.isfinite(self.low):
            return f"<= {self.high:g}"
        if not math.isfinite(self.high):
            return f">= {self.low:g}"
        return f"{self.low:g} .. {self.high:g}"


def feasible(constraints: Mapping[str, Constraint], metrics: Mapping[str, float]) -> bool:
    """Whether a trial is within all bounds; one that does not tell a metric is not."""
    return all(c.met(metrics.get(name, math.nan)) for name, c in constraints.items())


def rewards(
    objectives: Sequence[Objective],
    constraints: Mapping[str, Constraint],
    metrics: Mapping[str, float],
) -> tuple[float, ...]:
    """What an algorithm is told of a trial: one reward per objective, each shaped in the same way.

    Empty when the metrics lack an objective or a metric that shapes the reward.
    """
    try:
        told = [o.reward(metrics[o.metric]) for o in objectives]
        # What is added does not depend on the order; so it comes after what is multiplied.
        for name, c in sorted(constraints.items(), key=_is_added) if constraints else ():
            if c.reward:
                told = [c.shaped(reward, metrics[name]) for reward in told]
    except KeyError:
        return ()
    return tuple(told)


def needed(
    objectives: Iterable[Objective], constraints: Mapping[str, Constraint]
) -> tuple[str, ...]:
    """The metrics without which a trial has no reward."""
    shaping = [name for name, c in constraints.items() if c.reward]
    return tuple(dict.fromkeys([*(o.metric for o in objectives), *shaping]))


def _is_added(item: tuple[str, Constraint]) -> bool:
    return item[1].reward == "absolute"


def _ratio(large: float, small: float) -> float:
    """One value to another, both above 0 where they make sense; within what can be told apart."""
    if large <= 0:
        return 1 / FARTHEST
    return min(max(large / small, 1 / FARTHEST), FARTHEST) if small > 0 else FARTHEST
