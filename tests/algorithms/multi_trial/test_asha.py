"""ASHA: promotions that wait for nobody."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial.asha import Asha
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import attempt_rng
from automl_spaces.errors import UserError
from tests.algorithms.driving import ONE, drive, seeded
from tests.algorithms.multi_trial.curves import FULL, accuracy, assert_resumes_anywhere, run
from tests.algorithms.spaces import space_of

CELLS, NUMBERS = space_of("cells"), space_of("numbers")


def _asha(full: float = 9, eta: float = 3) -> Asha:
    return seeded(lambda: Asha(max_budget=full, eta=eta), CELLS)  # type: ignore[return-value]


def _told(algorithm: Asha, rewards: dict[int, float | None]) -> None:
    """Trials on the lowest rung that finished in this order; None failed."""
    for i, reward in rewards.items():
        plan = algorithm.propose(i, attempt_rng(0, i, 0))
        assert plan.parent is None
        state, values = ("failed", ()) if reward is None else ("completed", (reward,))
        algorithm.feedback(Observation(i, plan, state, values))  # type: ignore[arg-type]


def test_the_best_of_three_is_promoted_at_once() -> None:
    """With eta = 3 the third result allows the first promotion, and no second one."""
    algorithm = _asha()
    _told(algorithm, {0: 0.1, 1: 0.9, 2: 0.5})
    promotion = algorithm.propose(3, attempt_rng(0, 3, 0))
    assert (promotion.budget, promotion.parent) == (3.0, 1)
    assert algorithm.propose(4, attempt_rng(0, 4, 0)).parent is None


def test_the_highest_rung_comes_first() -> None:
    """A promotion to the full budget goes before one from the lowest rung."""
    algorithm, trial = _asha(), 0
    levels: dict[float, list[int]] = defaultdict(list)
    while len(levels[3.0]) < 3:  # three have been to the middle rung
        plan = algorithm.propose(trial, attempt_rng(0, trial, 0))
        assert plan.budget is not None
        levels[plan.budget].append(trial)
        algorithm.feedback(Observation(trial, plan, "completed", (float(trial),)))
        trial += 1
    assert algorithm._rungs[0].promotable(3, algorithm._promoted) is None
    for extra in range(trial, trial + 6):  # now the lowest rung has more to promote, too
        algorithm.restore(extra, Plan(next(CELLS.enumerate()), 1.0))
        algorithm.feedback(
            Observation(extra, Plan(next(CELLS.enumerate()), 1.0), "completed", (float(extra),))
        )
    assert algorithm._rungs[0].promotable(3, algorithm._promoted) is not None
    first, second = (algorithm.propose(i, attempt_rng(0, i, 0)) for i in (98, 99))
    assert (first.budget, first.parent) == (9.0, levels[3.0][-1])
    assert (second.budget, second.parent) == (3.0, trial + 5)


def test_failures_count_and_are_not_promoted() -> None:
    """One of three finished is promoted, even when two of them have failed; not a failed one."""
    algorithm = _asha()
    _told(algorithm, {0: None, 1: None, 2: -5.0})
    assert algorithm.propose(3, attempt_rng(0, 3, 0)).parent == 2
    algorithm = _asha()
    _told(algorithm, dict.fromkeys(range(30)))
    assert algorithm.propose(30, attempt_rng(0, 30, 0)).parent is None


@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize("workers", [1, 8])
def test_at_most_the_best_share_of_a_rung_is_promoted(eta: float, workers: int) -> None:
    """Whoever is promoted is, at that moment, among the best 1/eta of those finished there."""
    events = drive(lambda: Asha(max_budget=27, eta=eta), CELLS, trials=400, workers=workers)
    finished: dict[float, list[tuple[float, int]]] = defaultdict(list)
    promoted = set()
    for event in events:
        plan, observation = event.plan, event.observation
        if observation is not None:
            assert plan.budget is not None
            failed = observation.state != "completed"
            loss = math.inf if failed else -observation.rewards[0]
            finished[plan.budget].append((loss, event.trial_id))
        elif plan.parent is not None:
            below = max(b for b in finished if any(t == plan.parent for _, t in finished[b]))
            share = sorted(finished[below])[: int(len(finished[below]) / eta)]
            assert plan.parent in [t for _, t in share]
            assert plan.parent not in promoted
            promoted.add(plan.parent)
    assert len(promoted) > 400 / eta / 2


def test_a_promotion_has_its_parents_decisions() -> None:
    """It goes on from the same configuration's checkpoint, one rung up."""
    done = run(_asha(27), workers=5, trials=300)
    assert done.idle == 0
    for plan in done.plans.values():
        if plan.parent is not None:
            below = done.plans[plan.parent]
            assert plan.decisions == below.decisions
            assert plan.budget == 3 * (below.budget or math.nan)
    assert max(p.budget or 0 for p in done.plans.values()) == 27


@pytest.mark.parametrize("workers", [1, 5])
def test_resume_anywhere(workers: int) -> None:
    """However much is in flight."""
    assert_resumes_anywhere(lambda: Asha(max_budget=9), CELLS, trials=45, workers=workers)


def test_better_than_random_for_half_the_epochs() -> None:
    """Mean of ten searches on curves that cross, four workers."""
    found: dict[type, list[float]] = {Asha: [], Random: []}
    for seed in range(10):
        halving = seeded(lambda: Asha(max_budget=FULL), NUMBERS, seed=seed)
        for algorithm, epochs in ((halving, 540), (seeded(Random, NUMBERS, seed=seed), 1080)):
            done = run(algorithm, accuracy, seed=seed, workers=4, epochs=epochs)
            found[type(algorithm)].append(done.best(FULL))
    assert statistics.mean(found[Asha]) > statistics.mean(found[Random])


def test_options_are_checked() -> None:
    """By the constructor, or once the program is known."""
    with pytest.raises(UserError, match="min_budget 5 is above max_budget 3"):
        Asha(max_budget=3, min_budget=5)
    with pytest.raises(UserError, match="no argument epochs"):
        Asha().setup(CELLS, ONE, 0)
