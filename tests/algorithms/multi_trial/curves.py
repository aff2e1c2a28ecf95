"""Trainings that cost nothing: learning curves, and workers that are as slow as their budgets."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence

from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan, Waiting
from automl_algorithms.proposer import attempt_rng, planned
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, Event, Make, drive, seeded
from tests.algorithms.spaces import reward_of

Evaluate = Callable[[int, Plan], float | None]
FULL = 27.0


def accuracy(trial_id: int, plan: Plan) -> float:
    """A curve that rises to 1 + `reward_of`; how quickly depends on the first decision.

    Curves cross, so that the best at a small budget need not be the best in the end.
    """
    first = plan.decisions.values[0]
    assert first is not None
    slow = 0.8 + 0.4 * plan.decisions.space.points[0].to_unit(first)
    return 1 + reward_of(plan.decisions) - 0.3 * slow * 2 ** (-(plan.budget or FULL) / 4)


class Run:
    """A search that was simulated.

    Attributes:
        plans: of all trials, by id.
        observations: in the order in which they finished.
        epochs: trained in all; a trial with a parent begins where that one ended.
        idle: how often a worker found nothing to do.
    """

    def __init__(self) -> None:
        self.plans: dict[int, Plan] = {}
        self.observations: list[Observation] = []
        self.epochs, self.idle = 0.0, 0

    def best(self, budget: float) -> float:
        """The best reward of those trained to this budget."""
        return max(
            o.rewards[0]
            for o in self.observations
            if o.rewards and (o.plan.budget or FULL) == budget
        )


def run(
    algorithm: Algorithm,
    evaluate: Evaluate = accuracy,
    *,
    workers: int = 1,
    trials: int = 10**9,
    epochs: float = 10**9,
    seed: int = 0,
) -> Run:
    """Search with workers that take as long as they have epochs to train; None is a failure."""
    done, now = Run(), 0.0
    running: list[tuple[float, int]] = []
    while True:
        while len(running) < workers and len(done.plans) < trials and done.epochs < epochs:
            trial_id = len(done.plans)
            try:
                plan = planned(algorithm.propose(trial_id, attempt_rng(seed, trial_id, 0)))
            except Waiting:
                done.idle += 1
                break
            except Exhausted:
                epochs = 0
                break
            steps = plan.budget or FULL
            if plan.parent is not None:
                steps -= done.plans[plan.parent].budget or FULL
            done.plans[trial_id] = plan
            done.epochs += steps
            heapq.heappush(running, (now + steps, trial_id))
        if not running:
            return done
        now, trial_id = heapq.heappop(running)
        value = evaluate(trial_id, done.plans[trial_id])
        known = ("failed", ()) if value is None else ("completed", (value,))
        observation = Observation(trial_id, done.plans[trial_id], *known)  # type: ignore[arg-type]
        algorithm.feedback(observation)
        done.observations.append(observation)


def interleavings(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The orders in which a ledger may be told: as it was, restores first, and any between.

    Restores keep their order and results theirs.
    """
    restores = [e for e in events if e.observation is None]
    results = [e for e in events if e.observation is not None]
    yield list(events)
    yield restores + results
    rng = random.Random(len(events))
    for eagerness in (0.2, 0.8):
        told: list[Event] = []
        known = seen = 0
        while known < len(restores) or seen < len(results):
            due = seen < len(results) and results[seen].trial_id < known  # ids count from 0
            if due and (known == len(restores) or rng.random() > eagerness):
                told.append(results[seen])
                seen += 1
            else:
                told.append(restores[known])
                known += 1
        yield told


def assert_resumes_anywhere(make: Make, space: Space, *, trials: int, workers: int) -> list[Event]:
    """Stop before each proposal of a search, tell a fresh instance, and compare what it proposes.

    Some trials fail and some are pruned (see `driving.observe`). Returns what happened.
    """
    events = drive(make, space, trials=trials, workers=workers)
    assert sum(e.observation is None for e in events) == trials
    for cut, expected in enumerate(events):
        if expected.observation is not None:
            continue
        for told in interleavings(events[:cut]):
            fresh = seeded(make, space, ONE)
            for event in told:
                if event.observation is None:
                    fresh.restore(event.trial_id, event.plan)
                else:
                    fresh.feedback(event.observation)
            rng = attempt_rng(7, expected.trial_id, 0)
            assert planned(fresh.propose(expected.trial_id, rng)) == expected.plan
    return events
