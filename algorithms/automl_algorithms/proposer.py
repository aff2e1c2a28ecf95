"""From an algorithm's proposals to trials worth running: baseline, constraints, no repeats.

What every algorithm would otherwise have to do for itself stands here once, shared by the
command-line runner and by `sample`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

Accept = Callable[["Decisions", Any], str | None]
REDRAWS: Final = 10  # asks of the algorithm that are spent on avoiding a repeat; may be slow
STEPS: Final = 500  # mutations that look for something new near the repeat; 10 us each


class Proposal(NamedTuple):
    """What a trial is to evaluate.

    Args:
        plan: what the algorithm chose.
        program: the static program that its decisions stand for.
        rejected: how many proposals the constraints turned down before it; none of them is
            charged to the budget.
    """

    plan: Plan
    program: Any
    rejected: int

    @property
    def decisions(self) -> Decisions:
        """Those of the plan."""
        return self.plan.decisions


class Proposer:
    """Asks an algorithm for trials until one satisfies the constraints and is new.

    Args:
        algorithm: not yet set up.
        space: what is searched.
        objectives: one or more; their order is the order of an observation's rewards.
        seed: of the whole search.
        accept: called as `accept(decisions, program)` before a trial is run; returns None or
            the reason for turning it down.
        unique: propose no decisions twice. An algorithm that insists on a repeat gets a new
            neighbour of it instead, and only if none is found the repeat is let through. A
            finite space is exhausted once all of it has been proposed, unless some of it may
            yet be promoted to a larger budget.
        baseline: the first trial evaluates the program as it was before choices replaced values.
        max_rejects: proposals that constraints may turn down for one trial.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        *,
        accept: Accept | None = None,
        unique: bool = True,
        baseline: bool = True,
        max_rejects: int = 10_000,
    ) -> None:
        self.algorithm, self.space = algorithm, space
        self.objectives, self.seed = objectives, seed
        self._accept, self._unique = accept, unique
        self._baseline, self._max_rejects = baseline, max_rejects
        self._seen: set[Decisions] = set()  # proposed
        self._refused: set[Decisions] = set()  # turned down by the constraints
        self._decided: dict[int, Decisions] = {}  # of every trial
        self._accepted = self._turned_down = 0
        self._reasons: deque[str] = deque(maxlen=3)
        algorithm.setup(space, objectives, seed)

    def next(self, trial_id: int) -> Proposal:
        """Choose what trial `trial_id` evaluates.

        Raises:
            Exhausted: nothing is left to propose.
            Waiting: nothing is left to propose until a running trial has finished.
            UserError: the constraints turned down more than `max_rejects` proposals, or the
                whole of a finite space.
        """
        if self._baseline:
            self._baseline = False
            proposal = self._static(trial_id)
            if proposal is not None:
                return proposal
        rejected = repeats = 0
        while True:
            known = self._unique and len(self._seen) + len(self._refused) >= self.space.size
            if known and not self.algorithm.capabilities.multi_fidelity:
                self._end()
            rng = attempt_rng(self.seed, trial_id, rejected + repeats)
            try:
                plan = planned(self.algorithm.propose(trial_id, rng))
            except Exhausted:
                self._end()
            if plan.parent is not None:
                program = self.space.materialise(plan.decisions)
                if self._goes_on(plan) or self._accepts(plan.decisions, program):
                    self._decided[trial_id] = plan.decisions
                    return Proposal(plan, program, rejected)
                rejected = self._one_more(rejected, trial_id)
                continue
            if self._unique and not known and plan.decisions in self._seen:
                if repeats < REDRAWS:
                    repeats += 1
                    continue
                plan = plan._replace(decisions=self._neighbour(plan.decisions, rng))
                self.algorithm.restore(trial_id, plan)
            # A known refusal counts like a new one, so that a resumed search, which does not
            # know them, draws the same.
            if plan.decisions not in self._refused:
                program = self.space.materialise(plan.decisions)
                if self._fits(plan.decisions, program):
                    self._decided[trial_id] = plan.decisions
                    return Proposal(plan, program, rejected)
            rejected = self._one_more(rejected, trial_id)

    def _one_more(self, rejected: int, trial_id: int) -> int:
        """Count a refusal; `UserError` when there were too many."""
        rejected += 1
        if rejected > self._max_rejects:
            what = f"{rejected} proposals in a row for trial {trial_id}"
            raise UserError(self._complaint(what))
        return rejected

    def _goes_on(self, plan: Plan) -> bool:
        """Whether it changes nothing of what its parent was accepted with."""
        return plan.parent is not None and plan.decisions == self._decided.get(plan.parent)

    def _static(self, trial_id: int) -> Proposal | None:
        decisions = self.space.default()
        if decisions is None:
            return None
        program = self.space.materialise(decisions)
        if not self._fits(decisions, program):
            return None
        plan = Plan(decisions)
        if self.algorithm.capabilities.multi_fidelity:  # which alone knows the budget to begin with
            rng = attempt_rng(self.seed, trial_id, 0)
            plan = planned(self.algorithm.propose(trial_id, rng))._replace(decisions=decisions)
        self.algorithm.restore(trial_id, plan)
        self._decided[trial_id] = decisions
        return Proposal(plan, program, 0)

    def _neighbour(self, decisions: Decisions, rng: random.Random) -> Decisions:
        found = decisions
        for _ in range(STEPS):
            if found not in self._seen and found not in self._refused:
                break
            found = self.space.mutate(found, rng)
        return found

    def _fits(self, decisions: Decisions, program: Any) -> bool:
        """Whether a new record is accepted; it is known from now on, either way."""
        fits = self._accepts(decisions, program)
        if self._unique:
            (self._seen if fits else self._refused).add(decisions)
        return fits

    def _accepts(self, decisions: Decisions, program: Any) -> bool:
        reason = self._accept(decisions, program) if self._accept else None
        if reason is None:
            self._accepted += 1
            return True
        self._turned_down += 1
        if reason not in self._reasons:
            self._reasons.append(reason)
        return False

    def _end(self) -> NoReturn:
        if self._turned_down and not self._accepted:
            whole = len(self._refused) >= self.space.size
            what = f"all {self.space.size} programs of the space" if whole else "every proposal"
            raise UserError(self._complaint(what))
        raise Exhausted

    def _complaint(self, what: str) -> str:
        tried = self._accepted + self._turned_down
        return (
            f"the constraints turned down {what}; so far they accepted {self._accepted} of "
            f"{tried} ({self._accepted / tried:.2%}). Lately: {'; '.join(self._reasons)}"
        )

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Tell of a proposal that the ledger holds; `feedback` follows when it has finished."""
        self._baseline = False
        if self._unique and plan.parent is None:
            self._seen.add(plan.decisions)
        self._accepted += 1
        self._decided[trial_id] = plan.decisions
        self.algorithm.restore(trial_id, plan)

    def feedback(self, observation: Observation) -> Observation:
        """Pass on what became of a trial; returns it as the algorithm heard it.

        A reward that is NaN makes the trial a failed one.
        """
        if any(math.isnan(r) for r in observation.rewards):
            observation = observation._replace(state="failed", rewards=())
        elif observation.rewards and len(observation.rewards) != len(self.objectives):
            raise ValueError(
                f"trial {observation.trial_id} has {len(observation.rewards)} rewards for "
                f"{len(self.objectives)} objectives"
            )
        self.algorithm.feedback(observation)
        return observation

    def recommend(self) -> int | None:
        """The trial that the algorithm would go with; None: the one of the best value."""
        return self.algorithm.recommend()


def planned(proposal: Decisions | Plan) -> Plan:
    """A proposal as a plan; bare decisions are to be evaluated in full."""
    return proposal if isinstance(proposal, Plan) else Plan(proposal)


def attempt_rng(seed: int, trial_id: int, attempt: int) -> random.Random:
    """The randomness of one proposal: three counters side by side seed the Mersenne Twister.

    Its seeding mixes all bits, so neighbours are unrelated; it costs 5 us.
    """
    return random.Random((seed << 64) | (trial_id << 32) | attempt)
