"""Hyperband: successive halving in brackets, from many short trainings to a few long ones.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar, "Hyperband: A novel bandit-based approach to
hyperparameter optimization", JMLR 18 (2018), Algorithm 1:

    for s = s_max .. 0:                       # a bracket; forever, from the beginning again
        draw n configurations, train each to r = R / eta^s
        for i = 1 .. s: the best n / eta^i of them go on to r eta^i

A promotion goes on from the checkpoint of the trial that is promoted: the parent of its plan is
the same configuration's trial on the rung below. What is promoted is decided when all of a rung
have finished; meanwhile the workers begin the next bracket (as in HpBandSter), so that nobody
is ever kept waiting.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_algorithms.contract import Algorithm, Capabilities, Observation, Plan, algorithm
from automl_algorithms.multi_trial import _brackets, _fidelity

if TYPE_CHECKING:
    from automl_algorithms.multi_trial._brackets import Rung
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


class _Halving:
    """One bracket in progress.

    Attributes:
        rungs: its schedule.
        rung: the index of the one that is being evaluated.
        due: how many trials of that rung have not finished, proposed or not.
        completed: (-reward, trial, decisions) of those that reached the budget.
    """

    __slots__ = ("completed", "due", "rung", "rungs")

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs, self.rung, self.due = rungs, 0, rungs[0].size
        self.completed: list[tuple[float, int, Decisions]] = []

    def climb(self) -> list[tuple[float, int, Decisions]]:
        """Enter the next rung; returns those promoted to it, the best first."""
        self.rung += 1
        size = self.rungs[self.rung].size if self.rung < len(self.rungs) else 0
        promoted = sorted(self.completed)[:size]
        self.due, self.completed = len(promoted), []
        return promoted


@algorithm
class Hyperband(Algorithm):
    """Random configurations in Hyperband's brackets, again and again. O(log n) per trial.

    A trial that failed or was pruned takes its place on the rung and is never promoted, so that
    fewer may climb than the schedule has room for.

    Args:
        max_budget: of the last rung; None: the program's own `epochs`.
        min_budget: no rung has less; None: one step.
        eta: one in eta is promoted, to eta times the budget.
    """

    capabilities = Capabilities(multi_fidelity=True)

    def __init__(
        self,
        *,
        max_budget: float | None = None,
        min_budget: float | None = None,
        eta: int | float = 3,
    ) -> None:
        _fidelity.check(max_budget, min_budget, eta)
        self.max_budget, self.min_budget, self.eta = max_budget, min_budget, eta

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Lay out the brackets. Raises `UserError` when the full budget is not known."""
        super().setup(space, objectives, seed)
        self.budgets = _fidelity.ladder(space, self.max_budget, self.min_budget, self.eta)
        self.brackets = self._layout()
        self._halvings: dict[int, _Halving] = {}  # in progress, by number
        self._newest, self._room = -1, 0  # the bracket that takes new trials, and how many still
        self._halving_of: dict[int, int] = {}  # of each trial
        self._promoted: set[int] = set()  # trials that another goes on from
        # What is due, earlier brackets first: bracket, rank, trial, decisions. Promotions that
        # were restored are not taken out, but skipped when they come to the top.
        self._due: list[tuple[int, int, int, Decisions]] = []

    def _layout(self) -> list[list[Rung]]:
        return _brackets.hyperband(self.budgets, self.eta)

    def propose(self, trial_id: int, rng: random.Random) -> Plan:
        """The next promotion of the earliest bracket that has one, else a new configuration."""
        if trial_id not in self._halving_of:  # else its proposal was rejected: draw again
            while self._due and self._due[0][2] in self._promoted:
                heapq.heappop(self._due)
            if self._due:
                _, _, parent, decisions = heapq.heappop(self._due)
                self._promote(trial_id, parent)
                return Plan(decisions, self._rung(trial_id).budget, parent)
            self._enter(trial_id)
        return Plan(self._draw(trial_id, rng), self._rung(trial_id).budget)

    def _draw(self, trial_id: int, rng: random.Random) -> Decisions:
        """A new configuration."""
        return self.space.sample(rng)

    def _enter(self, trial_id: int) -> None:
        """Take a place on the lowest rung of the newest bracket."""
        if not self._room:
            self._newest += 1
            halving = _Halving(self.brackets[self._newest % len(self.brackets)])
            self._halvings[self._newest], self._room = halving, halving.due
        self._room -= 1
        self._halving_of[trial_id] = self._newest

    def _rung(self, trial_id: int) -> Rung:
        """Where a trial stands that has not finished."""
        halving = self._halvings[self._halving_of[trial_id]]
        return halving.rungs[halving.rung]

    def _promote(self, trial_id: int, parent: int) -> None:
        self._promoted.add(parent)
        self._halving_of[trial_id] = self._halving_of[parent]

    def feedback(self, observation: Observation) -> None:
        """Note the result; the last one of a rung decides who climbs."""
        number = self._halving_of[observation.trial_id]
        halving = self._halvings[number]
        halving.due -= 1
        if _fidelity.reached(observation):
            scored = -observation.rewards[0], observation.trial_id, observation.decisions
            halving.completed.append(scored)
        if halving.due:
            return
        promoted = halving.climb()
        for rank, (_, trial_id, decisions) in enumerate(promoted):
            heapq.heappush(self._due, (number, rank, trial_id, decisions))
        if not promoted:
            del self._halvings[number]

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Give a proposal of others its place: below its parent's bracket, or on a lowest rung."""
        if trial_id in self._halving_of:
            return
        if plan.parent is None:
            self._enter(trial_id)
        else:
            self._promote(trial_id, plan.parent)
