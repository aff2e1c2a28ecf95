"""Population-based training: generations, exploits, explorations, and the paper's toy."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import pytest

from automl_algorithms.contract import Exhausted, Observation, Plan, Waiting
from automl_algorithms.multi_trial._axes import axis_of
from automl_algorithms.multi_trial._lineage import lineage
from automl_algorithms.multi_trial.pbt import PATIENCE, Pbt, perturbed
from automl_algorithms.proposer import attempt_rng
from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, seeded
from tests.algorithms.multi_trial.curves import Run, accuracy, assert_resumes_anywhere, run
from tests.algorithms.spaces import space_of

NUMBERS, MIXED = space_of("numbers"), space_of("mixed")


def _pbt(space: Space = NUMBERS, seed: int = 7, **options: Any) -> Pbt:
    options = {"population": 6, "max_budget": 8, "interval": 2, **options}
    return seeded(lambda: Pbt(**options), space, seed=seed)  # type: ignore[return-value]


def _generations(done: Run, population: int = 6) -> list[list[int]]:
    return [list(done.plans)[i : i + population] for i in range(0, len(done.plans), population)]


def test_generations() -> None:
    """Each member is a trial in each; the budget grows by the interval, up to the full one."""
    done = run(_pbt(interval=3), workers=3)
    assert [p.budget for p in done.plans.values()] == [3.0] * 6 + [6.0] * 6 + [8.0] * 6
    first, *later = _generations(done)
    assert all(done.plans[i].parent is None for i in first)
    for before, now in itertools.pairwise([first, *later]):
        assert all(done.plans[i].parent in before for i in now)
    assert done.epochs == 6 * 8


def test_a_generation_waits_for_the_whole_of_the_one_before() -> None:
    """With as many workers as members nobody idles but at its end; at the end of all it stops."""
    algorithm = _pbt(max_budget=4)
    plans = [algorithm.propose(i, attempt_rng(0, i, 0)) for i in range(6)]
    for i in reversed(range(6)):
        with pytest.raises(Waiting):
            algorithm.propose(6, attempt_rng(0, 6, 0))
        algorithm.feedback(Observation(i, plans[i], "completed", (float(i),)))
    plans = [algorithm.propose(i, attempt_rng(0, i, 0)) for i in range(6, 12)]
    for i in range(6, 12):
        with pytest.raises(Waiting):
            algorithm.propose(12, attempt_rng(0, 12, 0))
        algorithm.feedback(Observation(i, plans[i - 6], "completed", (float(i),)))
    with pytest.raises(Exhausted):
        algorithm.propose(12, attempt_rng(0, 12, 0))


@pytest.mark.parametrize("workers", [1, 4, 6])
def test_the_worst_go_on_from_the_best(workers: int) -> None:
    """Two of six (a fifth, rounded up) exploit the two best; the others go on from themselves."""
    done = run(_pbt(), workers=workers)
    reward = {o.trial_id: o.rewards for o in done.observations}
    exploits = 0
    generations = _generations(done)
    for before, now in itertools.pairwise(generations):
        ranking = sorted(before, key=lambda i: reward[i], reverse=True)
        for own, trial_id in zip(before, now, strict=True):
            plan = done.plans[trial_id]
            if own in ranking[:4]:
                assert (plan.parent, plan.decisions) == (own, done.plans[own].decisions)
            else:
                assert plan.parent in ranking[:2]
                exploits += plan.decisions != done.plans[plan.parent].decisions
    assert exploits >= 5


def test_what_failed_or_was_pruned_is_replaced() -> None:
    """By exploits of the best two, although four members are gone."""
    algorithm = _pbt()
    states = ["failed", "completed", "pruned", "failed", "completed", "failed"]
    plans = []
    for i, state in enumerate(states):
        plans.append(algorithm.propose(i, attempt_rng(0, i, 0)))
        rewards = () if state == "failed" else (100.0 if state == "pruned" else float(i),)
        algorithm.feedback(Observation(i, plans[-1], state, rewards))  # type: ignore[arg-type]
    found = [algorithm.propose(i, attempt_rng(0, i, 0)) for i in range(6, 12)]
    assert [found[1].parent, found[4].parent] == [1, 4]
    assert {found[i].parent for i in (0, 2, 3, 5)} <= {1, 4}


def test_a_population_of_which_nobody_is_left_begins_anew() -> None:
    """From the first interval, with new configurations."""
    failing = range(6, 12)
    done = run(_pbt(max_budget=6), lambda i, plan: None if i in failing else accuracy(i, plan))
    assert [p.budget for p in done.plans.values()] == (
        [2.0] * 6 + [4.0] * 6 + [2.0] * 6 + [4.0] * 6 + [6.0] * 6
    )
    assert all(done.plans[i].parent is None for i in range(12, 18))


def test_without_selection_everybody_goes_on() -> None:
    """quantile 0 trains the population side by side; only what failed is replaced."""
    done = run(_pbt(quantile=0), lambda i, plan: None if i == 8 else accuracy(i, plan))
    assert all(done.plans[i + 6].parent == i for i in range(18) if i != 8)
    best = max(done.observations[6:12], key=lambda o: o.rewards or (-math.inf,))
    assert done.plans[14].parent == best.trial_id


@pytest.mark.parametrize("space", [NUMBERS, MIXED], ids=["numbers", "mixed"])
@pytest.mark.parametrize("workers", [1, 4])
def test_resume_anywhere(space: Space, workers: int) -> None:
    """In the middle of a generation, too."""
    make = lambda: Pbt(population=7, max_budget=10, interval=2)  # noqa: E731
    assert_resumes_anywhere(make, space, trials=35, workers=workers)


def test_the_schedule_of_the_best_is_its_lineage() -> None:
    """One trial for each generation, budgets rising, and changes only where it exploited."""
    done = run(_pbt(max_budget=20))
    best = max(done.observations[-6:], key=lambda o: o.rewards).trial_id
    line = lineage(done.plans, best)
    assert [done.plans[i].budget for i in line] == [2.0 * g for g in range(1, 11)]
    for parent, child in itertools.pairwise(line):
        if child - parent == 6:  # went on from itself
            assert done.plans[child].decisions == done.plans[parent].decisions
    schedule = [done.plans[i].decisions for i in line]
    assert len(set(schedule)) > 1


# The paper's toy (section 4.1 and figure 2): the models are two numbers each, trained by gradients
# of a surrogate that sees only as much of the objective as the hyper-parameters h let it.


class Toy:
    """theta of each trial, as its checkpoint; a child trains a copy of its parent's."""

    def __init__(self, *, own: bool = False) -> None:
        self.theta: dict[int, tuple[float, float]] = {}
        self.own = own  # members keep their own h: only weights are copied

    def __call__(self, trial_id: int, plan: Plan) -> float:
        """Train four steps with learning rate 0.01 and evaluate 1.2 - theta_0^2 - theta_1^2."""
        h = START[trial_id % 2].values if self.own else plan.decisions.values
        theta = (0.9, 0.9) if plan.parent is None else self.theta[plan.parent]
        for _ in range(4):
            theta = tuple(t - 0.01 * 2 * g * t for g, t in zip(h, theta, strict=True))  # type: ignore[assignment, operator]
        self.theta[trial_id] = theta
        return 1.2 - theta[0] ** 2 - theta[1] ** 2


TOY = Space.compile({"h0": floatv(0.0, 1.0), "h1": floatv(0.0, 1.0)})
START = [TOY.decode({"h0": 1.0, "h1": 0.0}), TOY.decode({"h0": 0.0, "h1": 1.0})]


def _toy(seed: int, toy: Toy, **options: Any) -> float:
    """The best of the last generation."""
    options = {"population": 2, "max_budget": 200, "interval": 4, "quantile": 0.5, **options}
    algorithm, rewards = _pbt(TOY, seed, **options), list[float]()
    with pytest.raises(Exhausted):
        for i in itertools.count():
            plan = algorithm.propose(i, attempt_rng(seed, i, 0))
            if i < 2:  # as a baseline comes: proposed, then replaced
                plan = plan._replace(decisions=START[i])
                algorithm.restore(i, plan)
            rewards.append(toy(i, plan))
            algorithm.feedback(Observation(i, plan, "completed", (rewards[-1],)))
    assert len(rewards) == 100
    return max(rewards[-2:])


@pytest.mark.parametrize("seed", range(8))
def test_the_papers_toy(seed: int) -> None:
    """Neither exploit nor explore 0.39; weights alone 1.17; both 1.20."""
    still = {"perturb": 0, "resample": 0}
    assert _toy(seed, Toy(), quantile=0, **still) == pytest.approx(0.39, abs=0.005)
    assert _toy(seed, Toy(own=True), **still) == pytest.approx(1.17, abs=0.005)
    assert _toy(seed, Toy()) == pytest.approx(1.20, abs=0.005)


# Exploring.

SCALES = Space.compile(
    {
        "log": floatv(1e-4, 1.0, scale="log"),
        "linear": floatv(0.0, 0.5),
        "reverse": floatv(0.5, 0.999, scale="reverse_log"),
        "grid": floatv(0.0, 0.5, step=0.1),
        "count": intv(1, 100, scale="log"),
        "ordinal": oneof([64, 16, 32]),
        "name": oneof(["a", "b", "c"]),
    }
)


@pytest.mark.parametrize(
    ("id", "value", "down", "up"),
    [
        ("log", 0.01, 0.008, 0.012),
        ("log", 1.0, 0.8, 1.0),
        ("linear", 0.2, 0.1, 0.3),
        ("linear", 0.0, 0.0, 0.1),
        ("reverse", 0.799, 0.659, 0.939),  # its mirror image 0.7 becomes 0.84 or 0.56
        ("reverse", 0.5, 0.5, 0.6998),
        ("grid", 0.2, 0.1, 0.3),
        ("grid", 0.5, 0.4, 0.5),
        ("count", 2, 1, 3),  # 1.6 and 2.4 round to 2: one place at least
        ("count", 50, 40, 60),
        ("count", 100, 80, 100),
        ("ordinal", 2, 1, 0),  # 32 between 16 and 64
        ("ordinal", 0, 2, 0),
        ("name", 1, 0, 2),
        ("name", 2, 1, 2),
    ],
)
def test_perturbed(id: str, value: float, down: float, up: float) -> None:
    """By a fifth on each kind of scale, within bounds and on the grid."""
    point = SCALES.point(id)
    axis = axis_of(point, ordinal=True)
    expected = {False: down, True: up}
    for direction, result in expected.items():
        found = perturbed(point, axis, value, 0.2, up=direction)
        assert found == pytest.approx(result, rel=1e-9), direction
        assert point.fits(found)
        assert isinstance(found, int) == (point.kind != "float")


def test_exploring_stays_in_the_space_and_reaches_all_of_it() -> None:
    """Conditional decisions, subsets and permutations included; about a quarter is drawn again."""
    algorithm = _pbt(MIXED)
    decisions = MIXED.sample(random.Random(0))
    seen: dict[str, set[Any]] = {p.id: set() for p in MIXED.points}
    for i in range(2000):
        decisions = algorithm._explore(decisions, random.Random(i))
        MIXED.check(decisions.values)
        for id, shown in decisions.as_dict().items():
            seen[id].add(shown)
    assert all(
        len(seen[p.id]) == len(p.labels)
        for p in MIXED.points
        if p.kind == "categorical" and p.group is None
    )
    assert max(seen["width"]) == 2.0
    assert min(seen["width"]) == 0.25


def test_resampling() -> None:
    """With probability one everything is drawn again, with zero everything stays near."""
    middle = NUMBERS.complete([1e-3, 0.5, 0.9, 0.2, 100, 3], random.Random(0))
    near = _pbt(resample=0)
    rates = {near._explore(middle, random.Random(i)).values[0] for i in range(50)}
    assert sorted(rates) == pytest.approx([8e-4, 1.2e-3])  # type: ignore[type-var]
    far = _pbt(resample=1)
    decays = [far._explore(middle, random.Random(i)).values[1] for i in range(400)]
    thirds = Counter(int(3 * (v or 0.0)) for v in decays)
    assert min(thirds.values()) > 100


def test_exploiting_without_exploring_copies() -> None:
    """perturb 0 and resample 0 leave the winner's decisions as they are, groups too."""
    algorithm = _pbt(MIXED, perturb=0, resample=0)
    for i in range(20):
        decisions = MIXED.sample(random.Random(i))
        assert algorithm._explore(decisions, random.Random(i)) == decisions


def test_groups_keep_their_constraints() -> None:
    """Slots that are moved one by one are mended."""
    space = Space.compile(
        {"order": permutate(["a", "b", "c", "d"]), "some": manyof(2, [1, 2, 3, 4], sorted=True)}
    )
    algorithm = _pbt(space, resample=0)
    decisions = space.sample(random.Random(1))
    found = {algorithm._explore(decisions, random.Random(i)) for i in range(60)}
    for each in found:
        space.check(each.values)
    assert len(found) > 10


@pytest.mark.parametrize(
    ("full", "interval", "budgets"),
    [
        (8, None, [1, 2, 3, 4, 5, 6, 7, 8]),
        (25, None, [3, 6, 9, 12, 15, 18, 21, 24, 25]),
        (2.5, None, [0.25 * i for i in range(1, 11)]),
        (9, 6, [6, 9]),
        (0.9, 0.3, [0.3, 0.6, 0.9]),
    ],
)
def test_intervals(full: float, interval: float | None, budgets: list[float]) -> None:
    """A tenth of the training, in whole steps when it has whole steps; the last may be short."""
    done = run(_pbt(population=2, max_budget=full, interval=interval))
    assert [p.budget for p in done.plans.values()][::2] == pytest.approx(budgets)


def test_a_loser_that_is_refused_again_and_again_copies_a_winner() -> None:
    """It explores for as long as there is hope; the next one begins with new hope."""
    algorithm = _pbt()
    plans = [algorithm.propose(i, attempt_rng(0, i, 0)) for i in range(6)]
    for i, plan in enumerate(plans):
        algorithm.feedback(Observation(i, plan, "completed", (float(i),)))

    def asked(trial_id: int) -> list[Plan]:
        return [algorithm.propose(trial_id, attempt_rng(0, trial_id, n)) for n in range(30)]

    for trial_id in (6, 7):
        drawn = asked(trial_id)
        assert {plan.parent for plan in drawn} <= {4, 5}
        copies = [plan.decisions == plans[plan.parent or 0].decisions for plan in drawn]
        assert not any(copies[: PATIENCE + 1])
        assert all(copies[PATIENCE + 1 :])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population must be at least 2, got 1"),
        ({"max_budget": -2}, "max_budget must be above 0"),
        ({"interval": 0}, "interval must be above 0"),
        ({"quantile": 0.6}, r"quantile must be in \[0, 0.5\], got 0.6"),
        ({"perturb": 1}, r"perturb must be in \[0, 1\), got 1"),
        ({"resample": -0.1}, r"resample must be in \[0, 1\]"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """With what is allowed."""
    with pytest.raises(UserError, match=message):
        Pbt(**options)


def test_what_only_the_program_tells() -> None:
    """No budget at all, or one that leaves no second generation."""
    with pytest.raises(UserError, match="no argument epochs"):
        Pbt().setup(NUMBERS, ONE, 0)
    with pytest.raises(UserError, match="an interval of 8 leaves a training of 8 a single"):
        _pbt(interval=8)
