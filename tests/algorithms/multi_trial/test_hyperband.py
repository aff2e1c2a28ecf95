"""Hyperband: brackets, who climbs, and what is worth it."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial.hyperband import Hyperband
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import Proposer, attempt_rng
from automl_spaces.errors import UserError
from tests.algorithms.driving import ONE, seeded
from tests.algorithms.multi_trial.curves import FULL, accuracy, assert_resumes_anywhere, run
from tests.algorithms.spaces import space_of

CELLS, NUMBERS = space_of("cells"), space_of("numbers")


def _hyperband(full: float = 9) -> Hyperband:
    return seeded(lambda: Hyperband(max_budget=full), CELLS)  # type: ignore[return-value]


def test_one_worker_goes_through_the_brackets_of_the_table() -> None:
    """81, 34, 15, 8, 5 configurations: 297 + 276 + 279 + 324 + 405 epochs from checkpoints."""
    done = run(_hyperband(81), trials=121 + 49 + 21 + 10 + 5)
    budgets = [plan.budget for plan in done.plans.values()]
    first = [1.0] * 81 + [3.0] * 27 + [9.0] * 9 + [27.0] * 3 + [81.0]
    second = [3.0] * 34 + [9.0] * 11 + [27.0] * 3 + [81.0]
    assert budgets[:170] == first + second
    assert budgets[170:] == [9] * 15 + [27] * 5 + [81] + [27] * 8 + [81] * 2 + [81] * 5
    assert done.epochs == 297 + 276 + 279 + 324 + 405


def test_the_best_climb_and_go_on_from_their_own_checkpoints() -> None:
    """A promotion has its parent's decisions; together they are the best of the rung."""
    done = run(_hyperband(), trials=13)
    reward = {o.trial_id: o.rewards for o in done.observations}
    for lower, upper in ((range(9), range(9, 12)), (range(9, 12), range(12, 13))):
        best = sorted(lower, key=lambda i: reward[i], reverse=True)[: len(upper)]
        assert [done.plans[i].parent for i in upper] == best
    for plan in done.plans.values():
        if plan.parent is not None:
            assert plan.decisions == done.plans[plan.parent].decisions


def test_brackets_repeat() -> None:
    """After the last bracket the first one comes again."""
    done = run(_hyperband(), trials=13 + 6 + 3 + 9)
    assert [p.budget for p in done.plans.values()][-9:] == [1.0] * 9


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_nobody_waits_and_rungs_are_decided_as_a_whole(workers: int) -> None:
    """With many workers, too, the best of a bracket's whole rung climb."""
    done = run(_hyperband(), workers=workers, trials=200)
    assert done.idle == 0
    roots = [i for i, plan in done.plans.items() if plan.parent is None]
    climbed = {plan.parent for plan in done.plans.values()} - {None}
    reward = {o.trial_id: o.rewards[0] for o in done.observations}
    best = sorted(roots[:9], key=lambda i: -reward[i])[:3]
    assert climbed & set(roots[:9]) == set(best)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_crashed_is_never_promoted(workers: int) -> None:
    """Nor is it replaced: two that did not fail of the first rung of nine climb."""

    def evaluate(trial_id: int, plan: Plan) -> float | None:
        return None if trial_id % 9 > 1 else accuracy(trial_id, plan)

    done = run(_hyperband(), evaluate, workers=workers, trials=150)
    failed = {o.trial_id for o in done.observations if o.state == "failed"}
    promoted = [p.parent for p in done.plans.values() if p.parent is not None]
    assert failed.isdisjoint(promoted)
    assert sorted(i for i in promoted if i < 9) == [0, 1]


def test_nothing_climbs_out_of_a_rung_that_failed() -> None:
    """The search goes on with the next bracket, and forgets the one that is over."""
    algorithm = _hyperband()
    done = run(algorithm, lambda i, plan: None, workers=2, trials=60)
    assert all(plan.parent is None for plan in done.plans.values())
    budgets = Counter(plan.budget for plan in done.plans.values())
    assert budgets == {1.0: 36, 3.0: 15, 9.0: 9}
    assert len(algorithm._halvings) <= 2


def test_a_pruned_trial_is_not_promoted() -> None:
    """It has a reward, but not that of its budget."""
    algorithm = _hyperband()
    for i in range(9):
        plan = algorithm.propose(i, attempt_rng(0, i, 0))
        state = "pruned" if i == 4 else "completed"
        algorithm.feedback(Observation(i, plan, state, (float(-abs(i - 4)),)))  # type: ignore[arg-type]
    promoted = [algorithm.propose(i, attempt_rng(0, i, 0)).parent for i in (9, 10, 11)]
    assert promoted == [3, 5, 2]


def test_the_baseline_takes_the_first_place() -> None:
    """It is trained to the first budget like any other, and is proposed once."""
    proposer = Proposer(Hyperband(max_budget=9), CELLS, ONE, 0)
    plans = []
    for i in range(10):
        plans.append(proposer.next(i).plan)
        proposer.feedback(Observation(i, plans[-1], "completed", (-float(i),)))
    assert plans[0] == Plan(CELLS.default(), 1.0)  # type: ignore[arg-type]
    assert plans[9] == Plan(plans[0].decisions, 3.0, 0)


def test_a_rejected_proposal_leaves_no_trace() -> None:
    """Asked again for the same trial, it draws again for the same place."""
    algorithm = _hyperband()
    for attempt in range(30):
        plan = algorithm.propose(0, attempt_rng(0, 0, attempt))
        assert plan.budget == 1.0
    assert [algorithm.propose(i, attempt_rng(0, i, 0)).budget for i in range(1, 10)] == (
        [1.0] * 8 + [3.0]
    )


@pytest.mark.parametrize("workers", [1, 3, 7])
def test_resume_anywhere(workers: int) -> None:
    """In the middle of a bracket, between brackets, with several of them in progress."""
    assert_resumes_anywhere(lambda: Hyperband(max_budget=9), CELLS, trials=45, workers=workers)


def test_better_than_random_for_half_the_epochs() -> None:
    """Mean of ten searches on curves that cross, four workers."""
    found: dict[type, list[float]] = {Hyperband: [], Random: []}
    for seed in range(10):
        halving = seeded(lambda: Hyperband(max_budget=FULL), NUMBERS, seed=seed)
        for algorithm, epochs in ((halving, 1080), (seeded(Random, NUMBERS, seed=seed), 2160)):
            done = run(algorithm, seed=seed, workers=4, epochs=epochs)
            found[type(algorithm)].append(done.best(FULL))
    assert statistics.mean(found[Hyperband]) > statistics.mean(found[Random])


def test_options_are_checked() -> None:
    """By the constructor, before there is a program."""
    with pytest.raises(UserError, match="eta must be at least 2"):
        Hyperband(eta=1)
