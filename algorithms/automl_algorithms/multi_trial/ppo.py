"""PPO: proximal policy optimisation, several steps on each batch of trials but none too far.

Schulman, Wolski, Dhariwal, Radford, Klimov, "Proximal policy optimization algorithms", 2017
(arXiv 1707.06347), equation 7 for each decision t of a trial, with its probability ratio to the
policy before the update:

    ratio_t = p(decision_t) / p_old(decision_t)
    ascend min(ratio_t A, clip(ratio_t, 1 - c, 1 + c) A) + entropy * H

A trial is an episode whose only reward comes at its end, so all its decisions share one
advantage A: its reward, normalised over the batch. There is no value network.

The old policy is the one at the start of the update, which trials of the batch that were
proposed before the previous update were not drawn from: the clipping limits how far a batch
moves the policy, and this is what it is measured from (the "proximal" policy of Hilton, Cobbe,
Schulman 2021, arXiv 2110.00641). So nothing has to be known of a proposal but its decisions.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from automl_algorithms.contract import Algorithm, Observation, algorithm
from automl_algorithms.multi_trial import _policies
from automl_algorithms.multi_trial._adam import Adam
from automl_algorithms.multi_trial._policies_heads import Distributions
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


@algorithm
class PPO(Algorithm):
    """Clipped surrogate objective over batches of trials. Costs the same for every batch.

    Args:
        batch: how many trials with a reward make one update.
        epochs: steps of Adam per update, each on the whole batch.
        clip: how far a probability ratio may move before its decision stops to pull (c).
        lr: step size of Adam.
        entropy: weight of the policy's entropy; advantages have deviation 1.
        policy: `independent` decisions, or `autoregressive` ones, each of which depends on those
            before it.
        continuous: numbers are drawn from a `gaussian` laid over their range, or from one of
            `bins` equal parts of it.
        bins: number of these parts; a number with no more values than that has one for each.
    """

    def __init__(
        self,
        *,
        batch: int = 16,  # these five are the best we measured on the NATS-Bench table
        epochs: int = 10,
        clip: float = 0.3,
        lr: float = 0.1,
        entropy: float = 0.1,
        policy: Literal["independent", "autoregressive"] = "independent",
        continuous: Literal["gaussian", "bins"] = "gaussian",
        bins: int = 10,
    ) -> None:
        self.batch, self.epochs, self.clip = batch, epochs, clip
        self.lr, self.entropy = lr, entropy
        self.policy, self.continuous, self.bins = policy, continuous, bins
        if batch < 2:
            raise UserError(f"batch must be at least 2, to tell good from bad; got {batch}")
        if epochs < 1:
            raise UserError(f"epochs must be at least 1, got {epochs}")
        if clip <= 0:
            raise UserError(f"clip must be above 0, got {clip:g}")
        if lr <= 0:
            raise UserError(f"lr must be above 0, got {lr:g}")
        if entropy < 0:
            raise UserError(f"entropy must be at least 0, got {entropy:g}")
        _policies.check(policy, continuous, bins)

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Start with a policy that is as good as uniform, and no trials."""
        super().setup(space, objectives, seed)
        self._policy = _policies.make(self.policy, space, self.continuous, self.bins, seed)
        self._adam = Adam(len(self._policy.parameters), self.lr)
        self._records: list[Decisions] = []
        self._rewards: list[float] = []

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """One draw from the policy."""
        return self._policy.draw(rng)

    def feedback(self, observation: Observation) -> None:
        """Add a trial to the batch, and learn from the batch once it is full.

        A trial without a reward teaches nothing and is not counted.
        """
        if not observation.rewards or not math.isfinite(observation.rewards[0]):
            return
        self._records.append(observation.decisions)
        self._rewards.append(observation.rewards[0])
        if len(self._records) == self.batch:
            self._update()
            self._records.clear()
            self._rewards.clear()

    def _update(self) -> None:
        heads = self._policy.heads
        rewards = np.array(self._rewards)
        advantages = (rewards - rewards.mean())[:, None] / (rewards.std() or 1.0)  # (B, 1)
        batch = heads.read([d.values for d in self._records])
        old = None
        for _ in range(self.epochs):
            outputs, pull = self._policy.forward(batch)
            drawn = Distributions(heads, outputs, batch)
            log_prob = drawn.log_prob()  # (B, D)
            old = log_prob if old is None else old
            ratio = np.exp(log_prob - old)
            # Where the clipped term is the smaller one, the objective is flat.
            flat = np.where(advantages > 0, ratio > 1 + self.clip, ratio < 1 - self.clip)
            weight = np.where(flat, 0.0, ratio * advantages)[:, heads.owner]  # (B, O)
            slope = weight * drawn.log_prob_slope()
            if self.entropy:
                slope += self.entropy * drawn.entropy_slope()
            self._adam.ascend(self._policy.parameters, pull(slope / self.batch))
