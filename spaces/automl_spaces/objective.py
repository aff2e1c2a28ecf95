"""What a search is after: a metric and a direction."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Objective(NamedTuple):
    """One metric of a trial, to be made large or small.

    Algorithms see rewards only, and always maximise them.
    """

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"

    def reward(self, value: float) -> float:
        """What an algorithm is told: the value, or its negative when it is to be small."""
        return value if self.direction == "maximize" else -value

    def value(self, reward: float) -> float:
        """Inverse of `reward`: what a person is told."""
        return reward if self.direction == "maximize" else -reward

    def better(self, a: float, b: float) -> bool:
        """Whether the value a is strictly better than b."""
        return self.reward(a) > self.reward(b)
