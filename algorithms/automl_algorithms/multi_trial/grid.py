"""Grid search: every combination of values, in a fixed order, each once.

The space is walked lazily, so that the first proposal of a space of 10^12 programs is
immediate. A continuous point needs `resolution`: how many values stand for it, evenly spaced on
its own scale.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from automl_algorithms.contract import Algorithm, Capabilities, Exhausted, Plan, algorithm
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


@algorithm
class Grid(Algorithm):
    """Enumerates the space and stops when it is exhausted.

    Args:
        resolution: values per continuous point (and at most so many per integer range).
    """

    capabilities = Capabilities(continuous=False, max_objectives=None)

    def __init__(self, *, resolution: int | None = None) -> None:
        if resolution is not None and resolution < 1:
            raise UserError(f"resolution must be at least 1, got {resolution}")
        self.resolution = resolution
        self.capabilities = Capabilities(continuous=resolution is not None, max_objectives=None)

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Open the walk; nothing is enumerated yet."""
        super().setup(space, objectives, seed)
        self._walk: Iterator[Decisions] = space.enumerate(self.resolution)
        self._made_by_others: set[Decisions] = set()

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """The next combination that was not restored; raises `Exhausted` after the last."""
        for decisions in self._walk:
            if decisions not in self._made_by_others:
                return decisions
            self._made_by_others.remove(decisions)  # the walk never comes back to it
        raise Exhausted

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Leave out a combination that has been proposed already."""
        self._made_by_others.add(plan.decisions)
