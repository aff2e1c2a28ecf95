"""Baseline, constraints and repeats: what every algorithm gets for nothing."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan
from automl_algorithms.multi_trial.evolution import Evolution
from automl_algorithms.multi_trial.grid import Grid
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import Proposer, attempt_rng
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from tests.algorithms.driving import ONE, TWO
from tests.algorithms.spaces import space_of


class Stubborn(Algorithm):
    """Proposes the first record of the space, always; remembers what it is told."""

    def __init__(self) -> None:
        self.restored: list[tuple[int, Plan]] = []
        self.heard: list[Observation] = []
        self.asked: list[float] = []

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """Always the same."""
        self.asked.append(rng.random())
        return next(self.space.enumerate())

    def feedback(self, observation: Observation) -> None:
        """Remember."""
        self.heard.append(observation)

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Remember."""
        self.restored.append((trial_id, plan))


def _proposer(algorithm: Algorithm, space: str = "finite", **options: Any) -> Proposer:
    return Proposer(algorithm, space_of(space), ONE, 3, **{"baseline": False, **options})


def test_the_first_trial_is_the_static_program() -> None:
    """The baseline is proposed once, and the algorithm knows of it by restore."""
    algorithm = Stubborn()
    proposer = _proposer(algorithm, "cells", baseline=True)
    first = proposer.next(0)
    assert first.program == {"edges": ["skip"] * 6}
    assert algorithm.restored == [(0, Plan(first.decisions))]
    assert proposer.next(1).decisions != first.decisions
    assert len(algorithm.asked) == 1


def test_no_baseline_without_a_static_program() -> None:
    """A space that nobody gave defaults begins with the algorithm's own proposal."""
    algorithm = Stubborn()
    assert _proposer(algorithm, baseline=True).next(0).program == {"kernel": 3, "op": "conv"}
    assert algorithm.restored == []


def test_no_baseline_after_a_restore() -> None:
    """A resumed search has had its baseline."""
    proposer = _proposer(Random(), "cells", baseline=True)
    proposer.restore(0, Plan(proposer.space.sample(random.Random(0))))
    assert proposer.next(1).program != {"edges": ["skip"] * 6}


def test_constraints_turn_down_before_training() -> None:
    """What `accept` gives a reason against is not proposed; how often is told."""

    def accept(decisions: Decisions, program: dict[str, Any]) -> str | None:
        return None if program["kernel"] == 7 else f"kernel {program['kernel']} is too small"

    proposer = _proposer(Grid(), accept=accept)
    first, second = proposer.next(0), proposer.next(1)
    assert [first.program, second.program] == [
        {"kernel": 7, "op": "conv"},
        {"kernel": 7, "op": "pool"},
    ]
    assert (first.rejected, second.rejected) == (4, 0)


def test_a_baseline_that_breaks_a_constraint_is_not_run() -> None:
    """The static program has to satisfy the constraints like any other."""
    proposer = _proposer(
        Random(), "cells", baseline=True, accept=lambda d, p: "same" * (p["edges"][0] == "skip")
        or None,
    )  # fmt: skip
    assert proposer.next(0).program["edges"][0] != "skip"


def test_constraints_that_nothing_satisfies() -> None:
    """The search stops with the statistics of acceptance and the last reasons."""
    proposer = _proposer(Random(), unique=False, max_rejects=20, accept=lambda d, p: "too big")
    expected = (
        r"turned down 21 proposals in a row for trial 5; so far they accepted 0 of 21 "
        r"\(0.00%\). Lately: too big"
    )
    with pytest.raises(UserError, match=expected):
        proposer.next(5)


def test_a_finite_space_in_which_nothing_is_acceptable() -> None:
    """Rejected records count as known: six rejections are the end, and said to be."""
    with pytest.raises(UserError, match=r"turned down all 6 programs of the space.*Lately: no"):
        _proposer(Random(), accept=lambda d, p: "no").next(0)


def test_a_finite_space_whose_acceptable_part_is_exhausted() -> None:
    """Two of six programs are acceptable: two trials, then the search is done."""
    accept = lambda d, p: None if p["kernel"] == 5 else "wrong kernel"  # noqa: E731
    proposer = _proposer(Random(), accept=accept)
    assert {proposer.next(i).program["op"] for i in range(2)} == {"conv", "pool"}
    with pytest.raises(Exhausted):
        proposer.next(2)


@pytest.mark.parametrize("make", [Stubborn, lambda: Evolution(population=1, tournament=1)])
def test_no_repeats(make: Callable[[], Algorithm]) -> None:
    """An algorithm that insists on a repeat gets a neighbour, and is told so."""
    algorithm = make()
    proposer = _proposer(algorithm)
    proposed = []
    for trial_id in range(6):
        proposed.append(proposer.next(trial_id).decisions)
        proposer.feedback(Observation(trial_id, Plan(proposed[-1]), "completed", (1.0 - trial_id,)))
    assert len(set(proposed)) == 6
    if isinstance(algorithm, Stubborn):
        assert algorithm.restored == [(i, Plan(d)) for i, d in enumerate(proposed)][1:]
    with pytest.raises(Exhausted):
        proposer.next(6)


def test_repeats_are_kept_on_request() -> None:
    """Without `unique` the algorithm has its way."""
    proposer = _proposer(Stubborn(), unique=False)
    assert proposer.next(0).decisions == proposer.next(1).decisions


def test_a_restored_record_is_known() -> None:
    """What the ledger holds is not proposed again."""
    proposer = _proposer(Random())
    records = list(proposer.space.enumerate())
    for trial_id, decisions in enumerate(records[:5]):
        proposer.restore(trial_id, Plan(decisions))
    assert proposer.next(5).decisions == records[5]


def test_the_randomness_of_an_attempt() -> None:
    """It depends on seed, trial and attempt, and on nothing else."""
    first = attempt_rng(1, 2, 3).random()
    assert attempt_rng(1, 2, 3).random() == first
    others = {attempt_rng(*a).random() for a in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 2, 2)]}
    assert len(others | {first}) == 5


def test_neighbouring_attempts_are_unrelated() -> None:
    """First draws of 4,000 consecutive trials are uniform: mean 1/2, variance 1/12."""
    draws = [attempt_rng(0, i, 0).random() for i in range(4000)]
    mean = sum(draws) / len(draws)
    variance = sum((d - mean) ** 2 for d in draws) / len(draws)
    lag = sum((a - mean) * (b - mean) for a, b in itertools.pairwise(draws)) / 4000
    assert mean == pytest.approx(0.5, abs=0.02)
    assert variance == pytest.approx(1 / 12, abs=0.005)
    assert lag == pytest.approx(0.0, abs=0.005)


def test_nan_fails_and_infinity_does_not() -> None:
    """A NaN reward is a failure, an infinite one a very good or very bad result."""
    algorithm = Stubborn()
    proposer = _proposer(algorithm, unique=False)
    for trial_id, reward in enumerate([math.nan, math.inf, -math.inf]):
        decisions = proposer.next(trial_id).decisions
        proposer.feedback(Observation(trial_id, Plan(decisions), "completed", (reward,)))
    assert [o.state for o in algorithm.heard] == ["failed", "completed", "completed"]


def test_a_reward_for_each_objective() -> None:
    """One reward for two objectives is a mistake of the caller."""
    proposer = Proposer(Random(), space_of("finite"), TWO, 0, baseline=False)
    decisions = proposer.next(0).decisions
    with pytest.raises(ValueError, match="1 rewards for 2 objectives"):
        proposer.feedback(Observation(0, Plan(decisions), "completed", (1.0,)))


class Handing(Algorithm):
    """Goes on from trial 0: in a promotion, then with whatever the randomness says."""

    def propose(self, trial_id: int, rng: random.Random) -> Plan:
        """The promotion is trial 1."""
        first = next(self.space.enumerate())
        if not trial_id:
            return Plan(first, 1.0)
        return Plan(first if trial_id == 1 else self.space.sample(rng), 2.0, 0)


def test_what_changes_in_mid_training_must_satisfy_the_constraints() -> None:
    """A child is drawn again until it does; a promotion was accepted before, and is not asked."""
    asked: list[Decisions] = []

    def accept(decisions: Decisions, _: Any) -> str | None:
        asked.append(decisions)
        return "an odd one" if len(asked) % 3 else None

    proposer = _proposer(Handing(), accept=accept, unique=False)
    asked.append(proposer.space.sample(random.Random(0)))
    asked.append(asked[0])
    assert proposer.next(0).rejected == 0
    assert proposer.next(1).plan.parent == 0
    assert len(asked) == 3
    child = proposer.next(2)
    assert (child.rejected, len(asked)) == (2, 6)
    assert child.decisions == asked[-1]


def test_a_promotion_is_known_after_a_resume() -> None:
    """Constraints that were changed meanwhile do not stop what has begun."""
    proposer = _proposer(Handing(), accept=lambda *_: "never")
    proposer.restore(0, Plan(next(proposer.space.enumerate()), 1.0))
    assert proposer.next(1).plan.parent == 0
