"""The Gaussian process search: it learns, it resumes, its price does not grow."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from typing import Any

import numpy as np
import pytest

from automl_algorithms.contract import Algorithm, Observation, Plan
from automl_algorithms.multi_trial import gaussian_process
from automl_algorithms.multi_trial.gaussian_process import GaussianProcess, _held, _last_fit
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import Proposer, attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import floatv, oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, drive, replay, seeded
from tests.algorithms.spaces import reward_of, space_of

ACQUISITIONS = ("ei", "its")


def _table(seed: int) -> dict[tuple[int, ...], float]:
    """A reward for each of 5^6 cells: normal effects of the edges and of their pairs."""
    rng = np.random.default_rng(seed)
    cells = np.array(list(itertools.product(range(5), repeat=6)))
    total = sum(rng.standard_normal(5)[cells[:, i]] for i in range(6))
    for i, j in itertools.combinations(range(6), 2):
        total = total + 0.5 * rng.standard_normal((5, 5))[cells[:, i], cells[:, j]]
    return {tuple(map(int, cell)): float(r) for cell, r in zip(cells, total, strict=True)}


def _rank(algorithm: Algorithm, table: dict[tuple[int, ...], float], trials: int) -> int:
    """How many cells are better than the best that a search has found."""
    search = sample(space_of("cells"), algorithm, trials)
    for _, feedback in search:
        feedback(table[feedback.decisions.values])  # type: ignore[index]
    assert search.best is not None
    best = search.best.values[0]
    return sum(reward > best for reward in table.values())


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_it_finds_the_best_of_a_table(acquisition: Any) -> None:
    """In 80 trials of 15,625 the median is among the best 10 (random search: about 130th)."""
    tables = [_table(seed) for seed in range(3)]
    ranks = [_rank(GaussianProcess(acquisition=acquisition), table, 80) for table in tables]
    assert statistics.median(ranks) < 10
    assert statistics.median(_rank(Random(), table, 80) for table in tables) > 40


def test_it_finds_a_minimum_between_numbers() -> None:
    """Branin within 0.1 of its minimum, 0.3979, in 40 trials."""
    space = Space.compile({"x": floatv(-5.0, 10.0), "y": floatv(0.0, 15.0)})
    found = []
    for seed in range(3):
        search = sample(space, GaussianProcess(startup=10), 40, objective="minimize", seed=seed)
        for program, feedback in search:
            x, y = program["x"], program["y"]
            bowl = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
            feedback(bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)
        assert search.best is not None
        found.append(search.best.values[0])
    assert statistics.median(found) < 0.4979


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_it_never_repeats_itself(acquisition: Any) -> None:
    """Neither finished, nor failed, nor running trials are proposed again."""
    space = Space.compile({f"x{i}": oneof(["a", "b", "c"]) for i in range(3)})
    algorithm = seeded(lambda: GaussianProcess(acquisition=acquisition, startup=4), space)
    proposed: list[Decisions] = []
    for trial_id in range(20):
        decisions = algorithm.propose(trial_id, attempt_rng(7, trial_id, 0))
        assert isinstance(decisions, Decisions)
        if trial_id >= 8:
            assert decisions not in proposed
        proposed.append(decisions)
        if trial_id % 4 == 3:  # four workers; the first of them fails
            for i in range(trial_id - 3, trial_id + 1):
                plan = Plan(proposed[i])
                reward = (reward_of(proposed[i]),)
                state: Any = "failed" if i % 4 == 0 else "completed"
                algorithm.feedback(Observation(i, plan, state, reward if i % 4 else ()))


def test_workers_are_sent_apart() -> None:
    """Four proposals of one moment are further from each other than 1e-4 of the range."""
    space = Space.compile({"x": floatv(0.0, 1.0), "y": floatv(0.0, 1.0)})
    algorithm = seeded(lambda: GaussianProcess(startup=6), space)
    for trial_id in range(15):
        decisions = algorithm.propose(trial_id, attempt_rng(7, trial_id, 0))
        plan = Plan(decisions)  # type: ignore[arg-type]
        algorithm.feedback(Observation(trial_id, plan, "completed", (reward_of(plan.decisions),)))
    together = [algorithm.propose(i, attempt_rng(7, i, 0)) for i in range(15, 19)]
    for a, b in itertools.combinations(together, 2):
        assert math.dist(a.values, b.values) > 1e-4  # type: ignore[union-attr, arg-type]


def test_the_model_is_the_same_after_a_resume() -> None:
    """Length scales that were learned many trials ago are learned anew from the same trials."""
    space = space_of("mixed")

    def make() -> Algorithm:
        return GaussianProcess(startup=5)

    events = drive(make, space, trials=60, workers=4)
    cut = max(i for i, e in enumerate(events) if e.observation is None)
    fresh = seeded(make, space)
    replay(fresh, events[:cut], restores_first=True)
    assert fresh.propose(59, attempt_rng(7, 59, 0)) == events[cut].decisions


def test_it_recommends_what_is_good_rather_than_lucky() -> None:
    """With noise, what it goes with at the end is better than what looked best."""
    space, gains = space_of("cells"), []
    for seed in range(4):
        table, luck = _table(seed), random.Random(seed)
        algorithm = seeded(lambda: GaussianProcess(startup=20), space, seed=seed)
        records, seen = [], []
        for trial_id in range(70):
            plan = Plan(algorithm.propose(trial_id, attempt_rng(seed, trial_id, 0)))  # type: ignore[arg-type]
            records.append(table[plan.decisions.values])  # type: ignore[index]
            seen.append(records[-1] + luck.gauss(0.0, 1.5))
            algorithm.feedback(Observation(trial_id, plan, "completed", (seen[-1],)))
        recommended = algorithm.recommend()
        assert recommended is not None
        assert sorted(seen)[-11] <= seen[recommended]  # of the best 15 %
        gains.append(records[recommended] - records[seen.index(max(seen))])
    assert statistics.fmean(gains) > 0


def test_it_recommends_nothing_that_was_pruned_and_nothing_without_a_model() -> None:
    """Before the model there is none; a pruned trial informs it and is not chosen."""
    algorithm = seeded(lambda: GaussianProcess(startup=4), space_of("cells"))
    for trial_id in range(8):
        plan = Plan(algorithm.propose(trial_id, attempt_rng(7, trial_id, 0)))  # type: ignore[arg-type]
        pruned = trial_id not in (2, 5)
        reward = (reward_of(plan.decisions) + 10 * pruned,)
        state: Any = "pruned" if pruned else "completed"
        algorithm.feedback(Observation(trial_id, plan, state, reward))
        assert algorithm.recommend() in ((None,) if trial_id < 3 else (2, 5))


def test_the_model_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its capacity it holds the best and the latest, in the order of finishing."""
    monkeypatch.setattr(gaussian_process, "CAPACITY", 6)
    rewards = np.array([9.0, 1.0, 8.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0])
    assert _held(rewards[:6]).tolist() == [0, 1, 2, 3, 4, 5]
    assert _held(rewards).tolist() == [0, 2, 5, 6, 7, 8]
    assert len(_held(np.arange(1000.0))) == gaussian_process.CAPACITY


def test_scales_are_learned_ever_more_rarely() -> None:
    """A number of trials alone decides when, and the distance grows with it."""
    fits = sorted({_last_fit(20, n) for n in range(20, 2000)})
    assert fits[0] == 20
    assert len(fits) < 40
    assert all(b <= max(a + 1, a * gaussian_process.GROWTH) for a, b in itertools.pairwise(fits))


def test_constraints_do_not_stall_it() -> None:
    """It insists on what is forbidden for no more than `PATIENCE` proposals of a trial."""
    space, rejected = space_of("cells"), []
    proposer = Proposer(
        GaussianProcess(startup=4), space, ONE, 0, baseline=False,
        accept=lambda d, p: None if p["edges"][0] == "conv3" else "not conv3",
    )  # fmt: skip
    for trial_id in range(14):
        proposal = proposer.next(trial_id)
        rejected.append(proposal.rejected)
        reward = float(proposal.program["edges"].count("pool"))
        proposer.feedback(Observation(trial_id, Plan(proposal.decisions), "completed", (reward,)))
    assert max(rejected) < gaussian_process.PATIENCE + 40


def test_infinite_and_equal_rewards_do_no_harm() -> None:
    """Ranks are what counts, so minus infinity is merely the worst."""
    space = space_of("mixed")
    search = sample(space, GaussianProcess(startup=4), 16)
    for i, (_, feedback) in enumerate(search):
        feedback(-math.inf if i % 3 == 0 else 1.0)
    assert search.best is not None
    assert search.best.values == (1.0,)


def test_spaces_with_nothing_to_choose() -> None:
    """One program, with points or without."""
    for template in ({"a": oneof([1]), "b": oneof(["only"])}, {"a": 1}):
        space = Space.compile(template)
        algorithm = seeded(lambda: GaussianProcess(startup=2), space)
        for trial_id in range(5):
            decisions = algorithm.propose(trial_id, random.Random(trial_id))
            assert isinstance(decisions, Decisions)
            space.check(decisions.values)
            algorithm.feedback(Observation(trial_id, Plan(decisions), "completed", (1.0,)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acquisition": "eii"}, "did you mean ei?"),
        ({"startup": 1}, "startup must be at least 2"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        GaussianProcess(**options)
