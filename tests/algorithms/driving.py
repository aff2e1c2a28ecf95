"""Runs an algorithm the way a runner with several workers does, and remembers what happened."""

from __future__ import annotations

import random
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from automl_algorithms import catalogue
from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan, Waiting
from automl_algorithms.proposer import attempt_rng, planned
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.spaces import reward_of

Make = Callable[[], Algorithm]
ONE = (Objective("accuracy"),)
TWO = (Objective("accuracy"), Objective("latency", "minimize"))

# Values for options that many algorithms share, so that a short run leaves the random phase.
SHORT = {"population": 6, "tournament": 3, "startup": 4, "resolution": 3}
SHORT |= {"max_budget": 9, "interval": 3}  # the programs here have no `epochs`
SHORT |= {"batch": 4}  # several updates in a few trials


class Event(NamedTuple):
    """One thing that happened: a proposal, or (with an observation) its feedback."""

    trial_id: int
    plan: Plan
    observation: Observation | None = None

    @property
    def decisions(self) -> Decisions:
        """Those of the plan."""
        return self.plan.decisions


def variants() -> Iterator[tuple[str, Make]]:
    """Every algorithm of the catalogue, once per value of each option that is a `Literal`."""
    for name in catalogue.names(family="multi_trial"):
        cls = catalogue.load(name)
        short = {k: v for k, v in SHORT.items() if k in catalogue.signature(name).params}
        yield name, lambda cls=cls, short=short: cls(**short)  # type: ignore[misc]
        for option, hint in typing.get_type_hints(cls.__init__).items():
            for value in typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ():
                make = lambda cls=cls, o={**short, option: value}: cls(**o)  # noqa: E731
                yield f"{name}-{option}={value}", make


def seeded(
    make: Make, space: Space, objectives: Sequence[Objective] = ONE, seed: int = 7
) -> Algorithm:
    """A fresh instance that has been set up."""
    algorithm = make()
    algorithm.setup(space, objectives, seed)
    return algorithm


def observe(trial_id: int, plan: Plan, objectives: Sequence[Objective]) -> Observation:
    """Every fifth trial fails, every seventh is pruned, half of these without a value."""
    value = reward_of(plan.decisions)
    rewards = (value, *[-abs(value) * trial_id for _ in objectives[1:]])
    if trial_id % 5 == 4:
        return Observation(trial_id, plan, "failed")
    if trial_id % 7 == 6:
        return Observation(trial_id, plan, "pruned", rewards if trial_id % 2 else ())
    return Observation(trial_id, plan, "completed", rewards)


def drive(
    make: Make,
    space: Space,
    *,
    trials: int,
    workers: int = 3,
    objectives: Sequence[Objective] = ONE,
    seed: int = 7,
) -> list[Event]:
    """Run `trials` trials on several simulated workers, which finish in an arbitrary order."""
    algorithm, finishing = seeded(make, space, objectives, seed), random.Random(seed)
    events: list[Event] = []
    running: list[Event] = []
    for trial_id in range(trials):
        while True:
            try:
                plan = planned(algorithm.propose(trial_id, attempt_rng(seed, trial_id, 0)))
            except Waiting:
                _finish_one(algorithm, running, events, finishing, objectives)
                continue
            except Exhausted:
                return events
            break
        running.append(Event(trial_id, plan))
        events.append(running[-1])
        while running and (len(running) >= workers or trial_id == trials - 1):
            _finish_one(algorithm, running, events, finishing, objectives)
    return events


def _finish_one(
    algorithm: Algorithm,
    running: list[Event],
    events: list[Event],
    finishing: random.Random,
    objectives: Sequence[Objective],
) -> None:
    """Whatever worker is done next feeds back."""
    done = running.pop(finishing.randrange(len(running)))
    observation = observe(done.trial_id, done.plan, objectives)
    algorithm.feedback(observation)
    events.append(Event(done.trial_id, done.plan, observation))


def replay(algorithm: Algorithm, events: Sequence[Event], *, restores_first: bool) -> None:
    """Tell a fresh instance what the ledger knows, in one of the orders that are allowed."""
    ordered: Sequence[Any] = (
        sorted(events, key=lambda e: e.observation is not None) if restores_first else events
    )
    for event in ordered:
        if event.observation is None:
            algorithm.restore(event.trial_id, event.plan)
        else:
            algorithm.feedback(event.observation)
