"""Random search: every decision drawn independently from its own distribution.

Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 13 (2012). The
baseline that every other algorithm has to beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_algorithms.contract import Algorithm, Capabilities, algorithm

if TYPE_CHECKING:
    import random

    from automl_spaces.decisions import Decisions


@algorithm
class Random(Algorithm):
    """Draws from the space, whatever happened before; log-scaled points on their own scale."""

    capabilities = Capabilities(max_objectives=None)

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """One draw."""
        return self.space.sample(rng)
