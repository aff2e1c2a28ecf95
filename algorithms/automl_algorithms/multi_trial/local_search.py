"""Local search: hill climbing over single decisions, with restarts.

White, Nolen, Savani, "Exploring the loss landscape in neural architecture search", UAI 2021
(arXiv 2005.02960), Algorithm 1; the perturbed restarts are iterated local search (Lourenco,
Martin, Stuetzle 2003):

    centre <- a random model
    while budget: evaluate the neighbours of the centre, in random order, until one is better
                  (first) or all are known (best); if there is a better one: centre <- it
                  otherwise: centre <- a random model, or the best of all with a few changes

Workers are never kept waiting. One that finds all neighbours taken starts the next climb; when a
neighbour then turns out better after all, both climbs go on, the higher one first. The state
changes by feedback only, and the neighbours of a centre depend on the seed and on the trial that
found it: so it does not matter to it who asked when.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from automl_algorithms.contract import Algorithm, Observation, Plan, algorithm
from automl_algorithms.multi_trial._neighbours import Values, neighbours
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

IMPROVEMENTS: Final = ("first", "best")
RESTARTS: Final = ("random", "perturb")
# Feedback never tells which neighbours the constraints turned down, so a climb may look as if it
# could still go on for ever. This many are remembered: the highest, and the latest to have moved.
OPEN: Final = 8
PATIENCE: Final = 500  # rejections of one trial after which it is a start
TRIES: Final = 20  # draws that look for a start that is not known already


@dataclass(slots=True, eq=False)
class _Climb:
    """One way up.

    Args:
        peak: reward of the best point on it.
        rings: what has not been evaluated around its points, in the order in which it is to be
            (used as ordered sets). The last ring is that of the best point.
        listed: all that was ever in its rings.
    """

    peak: float
    rings: list[dict[Values, None]]
    listed: set[Values]


_peak = attrgetter("peak")


@algorithm
class LocalSearch(Algorithm):
    """Climbs to the nearest local optimum, again and again.

    Args:
        improvement: move to the first neighbour that is better, or to the best of all.
        restart: the next climb starts at random, or from the best of all, perturbed.
        kick: how many decisions a perturbation changes; more if that leads to known models.
        numbers: how many other values of a numeric decision count as neighbours.
    """

    def __init__(
        self,
        *,
        improvement: Literal["first", "best"] = "first",
        restart: Literal["random", "perturb"] = "random",
        kick: int = 3,
        numbers: int = 4,
    ) -> None:
        for value, known in ((improvement, IMPROVEMENTS), (restart, RESTARTS)):
            if value not in known:
                raise UserError(f"there is no {value}", hint=did_you_mean(value, known))
        if kick < 1:
            raise UserError(f"kick must be at least 1, got {kick}")
        if numbers < 1:
            raise UserError(f"numbers must be at least 1, got {numbers}")
        self.improvement, self.restart = improvement, restart
        self.kick, self.numbers = kick, numbers

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Nothing is known."""
        super().setup(space, objectives, seed)
        self._evaluated: set[Values] = set()
        self._climbs: list[_Climb] = []  # the latest to have moved last
        self._best: tuple[float, Decisions] | None = None
        self._running: dict[int, Values] = {}
        self._rejected: set[Values] = set()  # proposed for the present trial, in vain

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """The next neighbour on the highest climb that has one left, or a new start."""
        void = self._running.pop(trial_id, None)
        self._rejected = set() if void is None else self._rejected | {void}
        taken = self._rejected.union(self._running.values())
        chosen = self._next_neighbour(taken) if len(self._rejected) < PATIENCE else None
        if chosen is None:
            chosen = self._start(rng, taken)
        self._running[trial_id] = chosen.values
        return chosen

    def _next_neighbour(self, taken: set[Values]) -> Decisions | None:
        for climb in sorted(self._climbs, key=_peak, reverse=True):
            for ring in climb.rings:
                for values in ring:
                    if values not in taken:
                        return Decisions(self.space, values)
        return None

    def _start(self, rng: random.Random, taken: set[Values]) -> Decisions:
        for attempt in range(TRIES):
            if self.restart == "random" or self._best is None:
                start = self.space.sample(rng)
            else:
                start = self._best[1]
                for _ in range(self.kick + attempt // 2):
                    start = self.space.mutate(start, rng)
            if start.values not in self._evaluated and start.values not in taken:
                break
        return start

    def feedback(self, observation: Observation) -> None:
        """Move the climb that the trial was a neighbour on, or begin one with it."""
        self._running.pop(observation.trial_id, None)
        values = observation.decisions.values
        if values in self._evaluated:
            return
        self._evaluated.add(values)
        if observation.rewards:
            self._learn(observation)
        for climb in self._climbs:
            for ring in climb.rings:
                ring.pop(values, None)
        self._climbs = [c for c in self._climbs if any(c.rings)]
        if len(self._climbs) > OPEN:
            highest = max(self._climbs, key=_peak)
            self._climbs.remove(next(c for c in self._climbs if c is not highest))

    def _learn(self, observation: Observation) -> None:
        reward, found = observation.rewards[0], observation.decisions
        if self._best is None or reward > self._best[0]:
            self._best = reward, found
        climb = next((c for c in self._climbs if found.values in c.listed), None)
        if climb is None:
            climb = _Climb(reward, [], {found.values})
        elif reward > climb.peak:
            self._climbs.remove(climb)
        else:
            return
        rng = random.Random(f"local search {self.seed} {observation.trial_id}")
        around = neighbours(self.space, found, rng, self.numbers)
        ring = dict.fromkeys(v for v in around if v not in self._evaluated)
        if self.improvement == "first" or not climb.rings:
            kept = []
        else:  # the ring that it came from is finished before its own is begun
            kept = climb.rings[:1] if found.values in climb.rings[0] else climb.rings[-1:]
        climb.peak, climb.rings = reward, [*kept, ring]
        climb.listed.update(ring)
        self._climbs.append(climb)

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Count a proposal of others as being evaluated."""
        self._running[trial_id] = plan.decisions.values
