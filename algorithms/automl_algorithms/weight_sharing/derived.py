"""What comes after a weight-sharing search: its records are trained from scratch, as trials."""

from __future__ import annotations

import random
from collections.abc import Sequence

from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan
from automl_spaces.decisions import Decisions


class Derived(Algorithm):
    """Proposes given records, each once, in their order; recommends the best of the found ones.

    Attributes:
        found: what the search ended with; filled in when it is over.
        compared: further records, which only tell how well shared weights rank.
    """

    def __init__(self, found: Sequence[Decisions] = (), compared: Sequence[Decisions] = ()) -> None:
        self.found, self.compared = found, compared
        self._told: set[Decisions] = set()
        self._best: tuple[float, int] | None = None  # reward and trial

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """The first that nobody has evaluated."""
        for record in (*self.found, *self.compared):
            if record not in self._told:
                self._told.add(record)
                return record
        raise Exhausted

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Also the baseline may be one of them; then it is not trained twice."""
        self._told.add(plan.decisions)

    def feedback(self, observation: Observation) -> None:
        """Keep the best of the found ones; of equal ones the first."""
        if observation.state != "completed" or observation.decisions not in self.found:
            return
        reward = observation.rewards[0]
        if self._best is None or reward > self._best[0]:
            self._best = reward, observation.trial_id

    def recommend(self) -> int | None:
        """What the search found, though the static program or a random record may be better."""
        return None if self._best is None else self._best[1]
