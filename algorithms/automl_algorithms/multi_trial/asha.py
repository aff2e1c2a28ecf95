"""ASHA: successive halving without waiting for a rung to be complete.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar, "A system for massively
parallel hyperparameter tuning", MLSys 2020 (arXiv 1810.05934), Algorithm 2:

    when a worker asks: for each rung, the highest first:
        among the best 1/eta of those finished on it, is one not promoted yet? then promote it
    otherwise a new configuration begins on the lowest rung

A promotion goes on from the checkpoint of the trial that is promoted: the parent of its plan is
the same configuration's trial on the rung below.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_algorithms.contract import Algorithm, Capabilities, Observation, Plan, algorithm
from automl_algorithms.multi_trial import _fidelity

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

Scored = tuple[float, int]  # -reward and trial, so that the best comes first


class _Rung:
    """Who has finished at one budget.

    Attributes:
        finished: how many, failed and pruned ones included.
        ranking: those that reached the budget, the best first.
        candidates: a heap of those of them that are not promoted; a promotion that was restored
            is not taken out, but skipped when it comes to the top.
    """

    __slots__ = ("candidates", "finished", "ranking")

    def __init__(self) -> None:
        self.finished = 0
        self.ranking: list[Scored] = []
        self.candidates: list[tuple[Scored, Decisions]] = []

    def promotable(self, eta: float, promoted: set[int]) -> tuple[int, Decisions] | None:
        """The best trial that is not promoted, if it is among the best 1/eta of all finished."""
        while self.candidates and self.candidates[0][0][1] in promoted:
            heapq.heappop(self.candidates)
        if not self.candidates:
            return None
        scored, decisions = self.candidates[0]
        if bisect_left(self.ranking, scored) >= int(self.finished / eta):
            return None
        return scored[1], decisions


@algorithm
class Asha(Algorithm):
    """Random configurations, promoted as soon as they stand out. O(log n) per trial.

    A trial that failed or was pruned counts as finished on its rung and is never promoted.

    Args:
        max_budget: of the highest rung; None: the program's own `epochs`.
        min_budget: the lowest rung has at least this; None: one step.
        eta: one in eta is promoted, to eta times the budget; 4 in the paper's experiments.
    """

    capabilities = Capabilities(multi_fidelity=True)

    def __init__(
        self,
        *,
        max_budget: float | None = None,
        min_budget: float | None = None,
        eta: int | float = 4,
    ) -> None:
        _fidelity.check(max_budget, min_budget, eta)
        self.max_budget, self.min_budget, self.eta = max_budget, min_budget, eta

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Set up the rungs. Raises `UserError` when the full budget is not known."""
        super().setup(space, objectives, seed)
        self.budgets = _fidelity.ladder(space, self.max_budget, self.min_budget, self.eta)
        self._rungs = [_Rung() for _ in self.budgets]
        self._level: dict[int, int] = {}  # of each trial: which rung it is on
        self._promoted: set[int] = set()  # trials that another goes on from

    def propose(self, trial_id: int, rng: random.Random) -> Plan:
        """A promotion from the highest rung that has one, else a new configuration."""
        if trial_id not in self._level:  # else its proposal was rejected: draw again
            for level in reversed(range(len(self._rungs) - 1)):
                found = self._rungs[level].promotable(self.eta, self._promoted)
                if found is not None:
                    parent, decisions = found
                    self._promote(trial_id, parent)
                    return Plan(decisions, self.budgets[level + 1], parent)
            self._level[trial_id] = 0
        return Plan(self.space.sample(rng), self.budgets[0])

    def _promote(self, trial_id: int, parent: int) -> None:
        self._promoted.add(parent)
        self._level[trial_id] = self._level[parent] + 1

    def feedback(self, observation: Observation) -> None:
        """Rank the trial among those that have finished on its rung."""
        trial_id = observation.trial_id
        rung = self._rungs[self._level[trial_id]]
        rung.finished += 1
        if _fidelity.reached(observation):
            scored = -observation.rewards[0], trial_id
            insort(rung.ranking, scored)
            heapq.heappush(rung.candidates, (scored, observation.decisions))

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Put a proposal of others on its rung: above its parent's, or on the lowest."""
        if trial_id in self._level:
            return
        if plan.parent is None:
            self._level[trial_id] = 0
        else:
            self._promote(trial_id, plan.parent)
