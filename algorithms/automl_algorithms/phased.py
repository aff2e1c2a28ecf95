"""Phases: an algorithm that searches some decisions, then others, the rest frozen.

Phase search of NAHAS (Zhou et al. 2021, arXiv 2102.08619, section 4), with any algorithm: in each
phase a fresh instance searches the slice of the space in which only the phase's decisions are
open. The others have the values of the best record of all phases before, at first those of the
static program. What is known of the slice already, that record above all, the instance is told.

A phase begins when every trial of the earlier ones has finished, so its slice depends on their
results and on nothing else: that is how the resume law holds. A slice that has been proposed as a
whole ends its phase early.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan, Waiting
from automl_algorithms.proposer import REDRAWS, STEPS, planned
from automl_spaces.errors import Mark, Problems, UserError
from automl_spaces.selection import select
from automl_spaces.slices import Slice

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


class Phase(NamedTuple):
    """A part of a search.

    Args:
        decide: paths or patterns of the decisions that are open; see `select`.
        trials: how many it takes.
        mark: where it was written.
    """

    decide: tuple[str, ...]
    trials: int
    mark: Mark | None = None


def opened(space: Space, phases: Iterable[Phase]) -> list[frozenset[int]]:
    """The indices of the points that each phase decides.

    Raises:
        UserError: a pattern that means no point; a point in no phase and without a static value.
    """
    problems, found = Problems(), list[frozenset[int]]()
    for phase in phases:
        indices = frozenset[int]()
        for pattern in phase.decide:
            try:
                indices |= select(space, pattern)
            except UserError as error:
                problems.extend(error, phase.mark, "phases")
        found.append(indices)
    problems.raise_if_any()
    left = never(space, found)
    if left and space.default() is None:
        raise UserError(
            f"{left[0]} is in no phase, and the space does not hold a static program to take "
            "its value from",
            path="phases",
            hint="name it in a phase, or let an overlay put the choice where a value stands",
        )
    return found


def never(space: Space, found: Sequence[frozenset[int]]) -> list[str]:
    """The ids of points that no phase decides: they stay at the static program's values."""
    return [p.id for p in space.points if not any(p.index in indices for indices in found)]


class Phased(Algorithm):
    """Runs an algorithm phase by phase.

    Args:
        make: a fresh instance of the algorithm.
        phases: in order; one that is to be repeated stands there as often.
        unique: whether no record is proposed twice; only then a phase can be exhausted.
    """

    def __init__(
        self, make: Callable[[], Algorithm], phases: Sequence[Phase], *, unique: bool = True
    ) -> None:
        self._make, self.phases, self.unique = make, phases, unique
        first = make()
        self.name, self.capabilities = first.name, first.capabilities  # type: ignore[misc]
        if self.capabilities.multi_fidelity:
            raise UserError(
                f"{self.name} cannot be run in phases: it has a schedule of its own for its trials",
                hint="phases with random, evolution, bayesian, reinforce, ...; or no phases",
            )

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Find the decisions of each phase, and whether the algorithm can search them."""
        super().setup(space, objectives, seed)
        self._open = opened(space, self.phases)
        base = space.default() or space.sample(random.Random(f"{seed}/phases"))
        for indices in dict.fromkeys(self._open):
            self._make().setup(Slice(space, base, indices), objectives, seed)
        self._plans: dict[int, Plan] = {}  # of every trial, the latest proposal perhaps void
        self._told: dict[int, Observation] = {}  # in the order in which trials finished
        self._unread: set[int] = set()  # trials that were restored and belong to no phase yet
        self._unheard: list[Observation] = []  # that the present instance has not been told
        self._void: set[Decisions] = set()  # proposed for the present trial, in vain
        self._asked: int | None = None  # the present trial, while its proposal stands
        self._begin(0, 0, base)

    def _begin(self, number: int, first: int, base: Decisions) -> None:
        """Start a phase, of which `first` is the first trial."""
        self._number, self._first, self._base = number, first, base
        if number >= len(self.phases):
            return
        self._slice = Slice(self.space, base, self._open[number])
        self._inner = self._make()
        self._inner.setup(self._slice, self.objectives, self.seed + number)
        self._inside: set[Decisions] = set()  # known records of the slice
        self._tried = {part for d in self._void if (part := self._slice.restrict(d)) is not None}
        self._count = 0
        for observation in self._told.values():
            if observation.trial_id < first:
                self._enter(observation.trial_id, observation.plan)
                self._hear(observation)

    def propose(self, trial_id: int, rng: random.Random) -> Plan:
        """What the present phase's instance proposes, in the whole space.

        Raises:
            Exhausted: the last phase is over.
            Waiting: the next phase begins when the trials that are running have finished.
        """
        if self._asked == trial_id:
            self._withdraw(self._plans.pop(trial_id).decisions)
        else:
            self._commit()
        self._catch_up()
        while self._number < len(self.phases):
            if self._count < self.phases[self._number].trials:
                plan = self._new(trial_id, rng)
                if plan is not None:
                    self._asked, self._plans[trial_id] = trial_id, plan
                    return plan
            self._next(trial_id)
        self._forget_void()
        raise Exhausted

    def _new(self, trial_id: int, rng: random.Random) -> Plan | None:
        """A proposal, an unknown one where that matters; None: nothing is left of the slice."""
        if self.unique and len(self._inside) + len(self._tried) >= self._slice.size:
            return None
        try:
            plan = planned(self._inner.propose(trial_id, rng))
            for _ in range(REDRAWS):
                if self._is_new(plan.decisions):
                    break
                plan = planned(self._inner.propose(trial_id, rng))
        except Exhausted:
            return None
        if not self._is_new(plan.decisions):
            near = self._neighbour(plan.decisions, rng)
            if near is None:
                return None
            plan = Plan(near)
            self._inner.restore(trial_id, plan)
        return Plan(self._slice.compose(plan.decisions))

    def _is_new(self, part: Decisions) -> bool:
        return not self.unique or (part not in self._inside and part not in self._tried)

    def _neighbour(self, part: Decisions, rng: random.Random) -> Decisions | None:
        for _ in range(STEPS):
            part = self._slice.mutate(part, rng)
            if self._is_new(part):
                return part
        # Nearly all is known, so what is not is soon found.
        return next(filter(self._is_new, self._slice.enumerate()), None)

    def _next(self, trial_id: int) -> None:
        """Go on to the next phase, which `trial_id` is the first trial of."""
        earlier = [t for t in self._plans if t < trial_id]
        if any(t not in self._told for t in earlier):
            self._forget_void()  # asked again, it tries all of these again, as after a resume
            raise Waiting
        done = [o for o in self._told.values() if o.trial_id < trial_id and o.rewards]
        best = max(done, key=lambda o: (o.feasible, o.rewards), default=None)
        base = self._base if best is None else best.decisions
        self._begin(self._number + 1, trial_id, base)

    # What others tell ---------------------------------------------------------------------------

    def feedback(self, observation: Observation) -> None:
        """Keep it until the phase that it belongs to is known."""
        self._told[observation.trial_id] = observation
        self._unheard.append(observation)

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Keep it until its phase is known: the results of the phases before say which it is."""
        if self._asked == trial_id:
            self._asked = None
        self._plans[trial_id] = plan
        self._unread.add(trial_id)

    def recommend(self) -> int | None:
        """What the last phase's instance would go with: it knows the best of all before."""
        self._commit()
        self._catch_up()
        return self._inner.recommend()

    def _withdraw(self, decisions: Decisions) -> None:
        """The present trial's proposal was turned down."""
        self._asked = None
        self._void.add(decisions)
        part = self._slice.restrict(decisions)
        if part is not None:
            self._tried.add(part)

    def _commit(self) -> None:
        """The present trial's proposal was accepted."""
        self._forget_void()
        if self._asked is not None:
            part = self._slice.restrict(self._plans[self._asked].decisions)
            assert part is not None  # it was proposed here
            self._inside.add(part)
            self._count += 1
            self._asked = None

    def _forget_void(self) -> None:
        self._void.clear()
        self._tried.clear()

    def _catch_up(self) -> None:
        """Bring what was restored and fed back to the instances that it is for."""
        for trial_id in sorted(self._unread):
            plan = self._plans[trial_id]
            while not self._takes(plan.decisions):
                self._next(trial_id)
            self._enter(trial_id, plan)
            self._count += 1
            self._unread.discard(trial_id)
        for observation in self._unheard:
            if observation.trial_id >= self._first:
                self._hear(observation)
        self._unheard.clear()

    def _takes(self, decisions: Decisions) -> bool:
        """Whether a trial that is the next belongs to the present phase."""
        if self._number + 1 >= len(self.phases):
            return True
        if self._count >= self.phases[self._number].trials:
            return False
        return self._slice.restrict(decisions) is not None

    def _enter(self, trial_id: int, plan: Plan) -> None:
        part = self._slice.restrict(plan.decisions)
        if part is not None:
            self._inside.add(part)
            self._inner.restore(trial_id, plan._replace(decisions=part))

    def _hear(self, observation: Observation) -> None:
        part = self._slice.restrict(observation.decisions)
        if part is not None:
            plan = observation.plan._replace(decisions=part)
            self._inner.feedback(observation._replace(plan=plan))
