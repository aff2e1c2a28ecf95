"""What comes after a weight-sharing search: its records are trained from scratch, as trials."""

from __future__ import annotations

import random
from collections.abc import Sequence

from automl_algorithms.contract import Algorithm, Exhausted, Plan
from automl_spaces.decisions import Decisions


class Derived(Algorithm):
    """Proposes given records, each once, in their order.

    Attributes:
        records: filled in when the search is over.
    """

    def __init__(self, records: Sequence[Decisions] = ()) -> None:
        self.records: Sequence[Decisions] = records
        self._told: set[Decisions] = set()

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """The first that nobody has evaluated."""
        for record in self.records:
            if record not in self._told:
                self._told.add(record)
                return record
        raise Exhausted

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Also the baseline may be one of them; then it is not trained twice."""
        self._told.add(plan.decisions)
