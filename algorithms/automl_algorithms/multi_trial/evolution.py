"""Regularized (ageing) evolution: the oldest dies, not the worst.

Real, Aggarwal, Huang, Le, "Regularized evolution for image classifier architecture search",
AAAI 2019 (arXiv 1802.01548), Algorithm 1:

    population <- queue of P random models
    while budget: sample <- S random members; parent <- best of sample
                  child <- mutate(parent); evaluate; push child right; drop the oldest left

It runs in steady state: a child is made from whatever is known when a worker asks, so that any
number of workers can be kept busy. The answer is the best trial ever seen, which may long have
left the population. By default most children have two parents, which the paper's have not.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from automl_algorithms.contract import Algorithm, Observation, Plan, algorithm
from automl_algorithms.multi_trial import _hierarchy, _neighbours
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

MUTATIONS: Final = ("uniform", "hierarchical")


class Preset(NamedTuple):
    """A named setting of the literature."""

    population: int
    tournament: int
    replacement: bool
    mutation: str = "uniform"
    repeat: bool = False
    crossover: float = 0.0


PRESETS: Final = {
    # The best we measured on the table of NATS-Bench's topology space.
    "default": Preset(50, 10, replacement=False, crossover=0.8),
    # Dong et al. 2021, NATS-Bench: its topology space and its size space. They charge repeats.
    "nats": Preset(10, 3, replacement=True, mutation="hierarchical"),
    "nats_size": Preset(10, 3, replacement=True, repeat=True),
    "paper": Preset(100, 25, replacement=True),  # Real et al. 2019, section 4
}
_reward = itemgetter(0)


@algorithm
class Evolution(Algorithm):
    """Tournament selection, one mutation, death by age. O(1) per trial.

    Args:
        preset: a named setting; the next six options override it one by one.
        population: how many of the youngest models live (P).
        tournament: how many of them compete to be the parent (S).
        replacement: whether the tournament may draw the same model twice.
        mutation: which decision changes: uniform, all are equally likely; hierarchical, every
            branch of the program is at each branching on the way down.
        repeat: whether its new value may be the old one, all being equally likely.
        crossover: probability that a child has two parents, before it is mutated.
        mutation_rate: probability with which each decision changes, at least one always does;
            None: exactly one decision changes.
        nearby: probability that the decision that changes, where it is between numbers, goes to
            the next lower or higher one of few, or a little down or up a scale.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats", "nats_size", "paper"] = "default",
        population: int | None = None,
        tournament: int | None = None,
        replacement: bool | None = None,
        mutation: Literal["uniform", "hierarchical"] | None = None,
        repeat: bool | None = None,
        crossover: float | None = None,
        mutation_rate: float | None = None,
        nearby: float = 0.0,
    ) -> None:
        if preset not in PRESETS:
            raise UserError(f"there is no preset {preset}", hint=did_you_mean(preset, PRESETS))
        chosen = PRESETS[preset]
        self.population = chosen.population if population is None else population
        self.tournament = chosen.tournament if tournament is None else tournament
        self.replacement = chosen.replacement if replacement is None else replacement
        self.mutation = chosen.mutation if mutation is None else mutation
        self.repeat = chosen.repeat if repeat is None else repeat
        self.crossover = chosen.crossover if crossover is None else crossover
        self.mutation_rate, self.nearby = mutation_rate, nearby
        if self.population < 1:
            raise UserError(f"population must be at least 1, got {self.population}")
        most = self.population if not self.replacement else self.tournament
        if not 1 <= self.tournament <= most:
            raise UserError(
                f"tournament must be between 1 and population ({most}), got {self.tournament}",
                hint="replacement: true lets it draw a model twice",
            )
        if self.mutation not in MUTATIONS:
            hint = did_you_mean(self.mutation, MUTATIONS)
            raise UserError(f"there is no mutation {self.mutation}", hint=hint)
        if mutation_rate is not None:
            if not 0 < mutation_rate <= 1:
                raise UserError(f"mutation_rate must be in (0, 1], got {mutation_rate:g}")
            if self.mutation != "uniform" or self.repeat or nearby:
                raise UserError(
                    "mutation_rate lets every decision change: "
                    "it needs mutation: uniform, repeat: false and nearby: 0"
                )
        for name in ("crossover", "nearby"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must be in [0, 1], got {getattr(self, name):g}")

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Start with nobody alive."""
        super().setup(space, objectives, seed)
        self._alive: deque[tuple[float, Decisions]] = deque(maxlen=self.population)
        self._in_flight: set[int] = set()
        self._cumulated = lru_cache(maxsize=256)(self._cumulate)

    def _cumulate(self, movable: tuple[int, ...]) -> list[float]:
        """Sums of the chances of these decisions; a space has few sets that are active."""
        return list(accumulate(_hierarchy.chances([self.space.points[i].id for i in movable])))

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """A random model while the first generation is not complete, a child afterwards."""
        self._in_flight.add(trial_id)
        # A failed trial frees its place, so the first generation has P members even then.
        # With more workers than members nobody may be alive when the first child is due.
        if len(self._alive) + len(self._in_flight) <= self.population or not self._alive:
            return self.space.sample(rng)
        child = self._parent(rng)
        if self.crossover and rng.random() < self.crossover:
            child = self.space.crossover(child, self._parent(rng), rng)
        return self._mutate(child, rng)

    def _mutate(self, parent: Decisions, rng: random.Random) -> Decisions:
        if self.mutation == "uniform" and not self.repeat and not self.nearby:
            return self.space.mutate(parent, rng, self.mutation_rate)
        movable = self.space.mutable(parent)
        if not movable:
            return parent
        if self.mutation == "uniform":
            point = rng.choice(movable)
        else:
            cumulated = self._cumulated(tuple([p.index for p in movable]))
            point = rng.choices(movable, cum_weights=cumulated)[0]
        if self.repeat and point.cardinality and rng.random() * point.cardinality < 1.0:
            return parent
        if self.nearby and rng.random() < self.nearby:
            beside = _neighbours.beside(point, parent.values, rng)
            if beside is not None:
                return self.space.complete(beside, rng)
        return self.space.change(parent, point, rng)

    def _parent(self, rng: random.Random) -> Decisions:
        alive = self._alive
        if self.replacement:
            drawn = rng.choices(alive, k=self.tournament)
        else:
            drawn = rng.sample(alive, min(self.tournament, len(alive)))
        return max(drawn, key=_reward)[1]

    def feedback(self, observation: Observation) -> None:
        """A trial with a reward is born into the population; the oldest beyond P dies."""
        self._in_flight.discard(observation.trial_id)
        if observation.rewards:
            self._alive.append((observation.rewards[0], observation.decisions))

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Count a proposal of others as being evaluated."""
        self._in_flight.add(trial_id)
