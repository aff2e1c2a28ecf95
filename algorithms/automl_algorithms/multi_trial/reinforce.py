"""REINFORCE: a policy learns which decisions are followed by rewards above the average.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", Machine Learning 8 (1992), as in NATS-Bench (Dong et al. 2021, arXiv 2009.00437):

    baseline b <- running mean of rewards, this one included
    advantage A = r - b, or the rank of r among the rewards before it
    ascend A * grad log p(decisions) + entropy * grad H, by one step of Adam

One trial, one step. The gradient is that of the policy at the time of the feedback and for the
decisions that were really evaluated: so with several workers, whose trials were proposed a few
steps earlier, and for decisions that others made. A trial without a finite reward teaches
nothing.

Ranks are as good as differences on NATS-Bench, and survive what it does not have: after one
diverged loss, a thousand times worse than the others, a running mean is wrong for hundreds of
trials.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from automl_algorithms.contract import Algorithm, Observation, algorithm
from automl_algorithms.multi_trial import _policies
from automl_algorithms.multi_trial._adam import Adam
from automl_algorithms.multi_trial._policies_heads import Distributions
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


class Preset(NamedTuple):
    """A named setting of the literature."""

    lr: float
    decay: float
    entropy: float
    advantage: Literal["rank", "mean"]


PRESETS: Final = {
    "default": Preset(0.1, 0.9, 0.3, "rank"),  # the best we measured on the NATS-Bench table
    "nats": Preset(0.01, 0.9, 0.0, "mean"),  # Dong et al. 2021, NATS-Bench
}
MEMORY: Final = 20  # a reward is ranked among as many; 50 make no difference


@algorithm
class Reinforce(Algorithm):
    """Policy gradient, one step per trial, each of which costs the same.

    Args:
        preset: a named setting; the four options below override it one by one.
        lr: step size of Adam.
        decay: of the running means, in [0, 1).
        entropy: weight of the policy's entropy, in units of the usual |A|, so that it means the
            same for rewards on any scale. More of it keeps the search broad.
        advantage: what makes a trial a good one: its `rank` among the last ones, or its reward's
            difference from the running `mean`.
        policy: `independent` decisions, or `autoregressive` ones, each of which depends on those
            before it.
        continuous: numbers are drawn from a `gaussian` laid over their range, or from one of
            `bins` equal parts of it.
        bins: number of these parts; a number with no more values than that has one for each.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats"] = "default",
        lr: float | None = None,
        decay: float | None = None,
        entropy: float | None = None,
        advantage: Literal["rank", "mean"] | None = None,
        policy: Literal["independent", "autoregressive"] = "independent",
        continuous: Literal["gaussian", "bins"] = "gaussian",
        bins: int = 10,
    ) -> None:
        if preset not in PRESETS:
            raise UserError(f"there is no preset {preset}", hint=did_you_mean(preset, PRESETS))
        chosen = PRESETS[preset]
        self.lr = chosen.lr if lr is None else lr
        self.decay = chosen.decay if decay is None else decay
        self.entropy = chosen.entropy if entropy is None else entropy
        self.advantage = chosen.advantage if advantage is None else advantage
        self.policy, self.continuous, self.bins = policy, continuous, bins
        if self.lr <= 0:
            raise UserError(f"lr must be above 0, got {self.lr:g}")
        if not 0 <= self.decay < 1:
            raise UserError(f"decay must be in [0, 1), got {self.decay:g}")
        if self.entropy < 0:
            raise UserError(f"entropy must be at least 0, got {self.entropy:g}")
        if self.advantage not in {"rank", "mean"}:
            hint = did_you_mean(self.advantage, ["rank", "mean"])
            raise UserError(f"advantage must be rank or mean, got {self.advantage}", hint=hint)
        _policies.check(policy, continuous, bins)

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Start with a policy that is as good as uniform."""
        super().setup(space, objectives, seed)
        self._policy = _policies.make(self.policy, space, self.continuous, self.bins, seed)
        self._adam = Adam(len(self._policy.parameters), self.lr)
        self._baseline, self._ranks = RunningMean(self.decay), Ranks(MEMORY)
        self._scale = RunningMean(self.decay)  # of |A|

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """One draw from the policy."""
        return self._policy.draw(rng)

    def feedback(self, observation: Observation) -> None:
        """One step uphill."""
        if not observation.rewards or not math.isfinite(observation.rewards[0]):
            return
        reward = float(observation.rewards[0])  # NumPy's floats are slow one by one
        if self.advantage == "rank":
            advantage = self._ranks.update(reward)
        else:
            advantage = reward - self._baseline.update(reward)
        batch = self._policy.heads.read([observation.decisions.values])
        outputs, pull = self._policy.forward(batch)
        drawn = Distributions(self._policy.heads, outputs, batch)
        slope = advantage * drawn.log_prob_slope()
        if self.entropy:
            slope += self.entropy * self._scale.update(abs(advantage)) * drawn.entropy_slope()
        self._adam.ascend(self._policy.parameters, pull(slope))


class RunningMean:
    """Exponentially weighted mean of all values so far, unbiased from the first one on."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._sum = self._weight = 0.0

    def update(self, value: float) -> float:
        """The mean, this value included."""
        self._sum = self._decay * self._sum + (1 - self._decay) * value
        self._weight = self._decay * self._weight + (1 - self._decay)
        return self._sum / self._weight


class Ranks:
    """Where each value stands among those before it."""

    def __init__(self, memory: int) -> None:
        self._recent: deque[float] = deque(maxlen=memory)

    def update(self, value: float) -> float:
        """From -1, worse than all of the last `memory`, to 1, better; 0 for the first."""
        recent = self._recent
        balance = sum(value > other for other in recent) - sum(value < other for other in recent)
        rank = balance / (len(recent) or 1)
        recent.append(value)
        return rank
