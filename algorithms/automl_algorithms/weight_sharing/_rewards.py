"""What a record is rewarded by: its quality, changed by its costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from automl_algorithms.weight_sharing._baseline import Baseline
from automl_algorithms.weight_sharing._targets import Shape, shaped

ON_TARGET: Final = 0.03  # share of a target that a cost may be off
WORST: Final = 5.0  # mean deviations below the mean
SETTLED: Final = 0.4  # weight of a deviation that may be relied on: after ten rewards


class Rewards:
    """The rewards of a policy gradient, and what they are compared with.

    Args:
        targets: target and shape of each cost that counts.
        beta: weight of a cost; not positive.
        decay: of the running mean.

    Attributes:
        baseline: the running mean of what was taken.
        worst: of the rewards so far.
    """

    def __init__(self, targets: Mapping[str, tuple[float, Shape]], beta: float, decay: float):
        self.targets, self.beta, self.baseline = dict(targets), beta, Baseline(decay)
        self.worst: float | None = None

    def of(self, quality: float, costs: Mapping[str, float]) -> float:
        """The reward of a record.

        A record with a cost that is not finite cannot be run at all: it has the worst reward so
        far. A quality that is not finite tells nothing of the record: the mean.
        """
        if not all(math.isfinite(costs[name]) for name in self.targets):
            return self.baseline.mean if self.worst is None else self.worst
        if not math.isfinite(quality):
            return self.baseline.mean
        found = quality
        for name, (target, shape) in self.targets.items():
            found = shaped(found, costs[name] / target, shape, self.beta)
        self.worst = found if self.worst is None else min(self.worst, found)
        return found

    def on_target(self, costs: Mapping[str, float]) -> bool:
        """Whether costs are as good as on their targets."""
        return all(
            shaped(1.0, costs[name] / target, shape, -1.0) >= 1 - ON_TARGET
            for name, (target, shape) in self.targets.items()
        )

    def take(self, rewards: list[float]) -> list[float]:
        """How much better each of some records, judged together, is than the others.

        One that was judged alone is compared with the running mean.
        """
        n, total = len(rewards), sum(rewards)
        running = self.baseline.take(total / n)
        return [reward - ((total - reward) / (n - 1) if n > 1 else running) for reward in rewards]

    def state_dict(self) -> dict[str, Any]:
        """Numbers."""
        return {"baseline": self.baseline.state_dict(), "worst": self.worst}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.baseline.load_state_dict(state["baseline"])
        self.worst = state["worst"]


class FlooredRewards(Rewards):
    """Where records may ruin a training, nothing counts for less than that, which is the worst.

    Otherwise one loss of 1e12 would be all that the policy's optimiser remembers.
    """

    def __init__(self, targets: Mapping[str, tuple[float, Shape]], beta: float, decay: float):
        super().__init__(targets, beta, decay)
        self.deviation = Baseline(decay)

    def of(self, quality: float, costs: Mapping[str, float]) -> float:
        """A quality that is not finite tells of a training that is ruined."""
        worst = self.baseline.mean - WORST * self.deviation.mean
        if not math.isfinite(quality):
            return worst
        found = super().of(quality, costs)
        return max(found, worst) if self.deviation.weight >= SETTLED else found

    def take(self, rewards: list[float]) -> list[float]:
        """And how far they are from the mean."""
        found = super().take(rewards)
        for reward in rewards:
            self.deviation.take(abs(reward - self.baseline.mean))
        return found

    def state_dict(self) -> dict[str, Any]:
        """The deviation, too."""
        return super().state_dict() | {"deviation": self.deviation.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.deviation.load_state_dict(state["deviation"])
