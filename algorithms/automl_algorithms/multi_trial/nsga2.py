"""NSGA-II: evolution towards a whole front of trade-offs between several objectives.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002. A model is better when its front comes
earlier in the sorting of the population, and on the same front when it is less crowded there;
two tournaments of two find the parents.

It runs in steady state (Durillo, Nebro, Luna, Alba, "On the effect of the steady-state selection
scheme in multi-objective genetic algorithms", EMO 2009): every trial joins the population as it
finishes and the last by that order leaves, which takes fewer trials than whole generations and
keeps any number of workers busy.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from automl_algorithms.contract import Algorithm, Capabilities, Observation, Plan, algorithm
from automl_algorithms.multi_trial import _fronts
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


class _Member(NamedTuple):
    """A model that lives."""

    rewards: tuple[float, ...]
    decisions: Decisions


@algorithm
class NSGA2(Algorithm):
    """Binary tournaments by front and crowding, crossover, mutation.

    Args:
        population: how many models live.
        crossover: probability that a child has two parents, before it is mutated.
        mutation_rate: probability with which each decision changes, at least one always does;
            None: exactly one decision changes.
    """

    capabilities = Capabilities(max_objectives=None)

    def __init__(
        self,
        *,
        population: int = 20,
        crossover: float = 0.9,
        mutation_rate: float | None = None,
    ) -> None:
        if population < 2:
            raise UserError(f"population must be at least 2, got {population}")
        if not 0 <= crossover <= 1:
            raise UserError(f"crossover must be in [0, 1], got {crossover:g}")
        if mutation_rate is not None and not 0 < mutation_rate <= 1:
            raise UserError(f"mutation_rate must be in (0, 1], got {mutation_rate:g}")
        self.population, self.crossover = population, crossover
        self.mutation_rate = mutation_rate

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Start with nobody alive."""
        super().setup(space, objectives, seed)
        self._ranked: list[_Member] = []  # from the best to the worst
        self._in_flight: set[int] = set()

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """A random model while the population is not complete, a child afterwards."""
        self._in_flight.add(trial_id)
        # As in `evolution`: a failure frees its place; with many workers nobody may be alive.
        if len(self._ranked) + len(self._in_flight) <= self.population or not self._ranked:
            return self.space.sample(rng)
        child = self._parent(rng)
        if rng.random() < self.crossover:
            child = self.space.crossover(child, self._parent(rng), rng)
        return self.space.mutate(child, rng, self.mutation_rate)

    def _parent(self, rng: random.Random) -> Decisions:
        n = len(self._ranked)
        return self._ranked[min(rng.randrange(n), rng.randrange(n))].decisions

    def feedback(self, observation: Observation) -> None:
        """A trial with rewards joins the population; the last of more than P leaves it."""
        self._in_flight.discard(observation.trial_id)
        if observation.rewards:
            joined = [*self._ranked, _Member(observation.rewards, observation.decisions)]
            self._ranked = _in_order(joined)[: self.population]

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Count a proposal of others as being evaluated."""
        self._in_flight.add(trial_id)


def _in_order(members: Sequence[_Member]) -> list[_Member]:
    """By the crowded comparison (Deb et al., section III-C): front, then room on it."""
    ordered: list[_Member] = []
    for front in _fronts.fronts([m.rewards for m in members]):
        room = _fronts.crowding([members[i].rewards for i in front])
        by_room = sorted(range(len(front)), key=room.__getitem__, reverse=True)
        ordered.extend(members[front[j]] for j in by_room)
    return ordered
