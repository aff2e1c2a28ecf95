"""The running mean that the reward of a policy gradient is compared with."""

from __future__ import annotations


class Baseline:
    """A running mean without the bias towards 0 that it begins with.

    Args:
        decay: how much of the mean the past has.

    Attributes:
        weight: of what was taken so far: 0 before there is anything, 1 in the long run.
    """

    def __init__(self, decay: float) -> None:
        self.decay, self._sum, self.weight = decay, 0.0, 0.0

    @property
    def mean(self) -> float:
        """0 before there is anything."""
        return self._sum / self.weight if self.weight else 0.0

    def take(self, value: float) -> float:
        """The mean, this value included."""
        self._sum = self.decay * self._sum + (1 - self.decay) * value
        self.weight = self.decay * self.weight + (1 - self.decay)
        return self.mean

    def state_dict(self) -> tuple[float, float]:
        """Sum and weight."""
        return self._sum, self.weight

    def load_state_dict(self, state: tuple[float, float]) -> None:
        """Go on from a state."""
        self._sum, self.weight = state
