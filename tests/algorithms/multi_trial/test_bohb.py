"""BOHB: when there is a model, what it learns from, and that it helps."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from typing import Any

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial.bohb import PATIENCE, Bohb
from automl_algorithms.multi_trial.hyperband import Hyperband
from automl_algorithms.proposer import attempt_rng
from automl_spaces.errors import UserError
from tests.algorithms.driving import ONE, seeded
from tests.algorithms.multi_trial.curves import FULL, accuracy, assert_resumes_anywhere, run
from tests.algorithms.spaces import space_of

CELLS, NUMBERS, MIXED = space_of("cells"), space_of("numbers"), space_of("mixed")


def _bohb(space: Any = NUMBERS, **options: Any) -> Bohb:
    options = {"max_budget": 9, "random_fraction": 0, **options}
    return seeded(lambda: Bohb(**options), space)  # type: ignore[return-value]


def _finish(algorithm: Bohb, trial_id: int, reward: float | None) -> Plan:
    plan = algorithm.propose(trial_id, attempt_rng(0, trial_id, 0))
    state, rewards = ("failed", ()) if reward is None else ("completed", (reward,))
    algorithm.feedback(Observation(trial_id, plan, state, rewards))  # type: ignore[arg-type]
    return plan


def test_nats_brackets() -> None:
    """[9, 3, 1] @ [1, 4, 12], [3, 1] @ [4, 12], [3] @ [12], trained by one worker."""
    done = run(_bohb(CELLS, preset="nats", max_budget=12), trials=20)
    assert [p.budget for p in done.plans.values()] == (
        [1.0] * 9 + [4.0] * 3 + [12.0] + [4.0] * 3 + [12.0] + [12.0] * 3
    )
    assert sum(p.budget or 0 for p in done.plans.values()) == 93


def test_presets_and_their_overrides() -> None:
    """The constants of HpBandSter and of NATS-Bench; an option of one's own counts more."""
    default, nats = Bohb(), Bohb(preset="nats", samples=7)
    assert (default.samples, default.random_fraction, default.min_bandwidth) == (64, 1 / 3, 1e-3)
    assert (nats.samples, nats.random_fraction, nats.min_bandwidth) == (7, 0.0, 0.3)


def test_a_model_needs_more_than_d_plus_1_results_on_one_budget() -> None:
    """Six dimensions: random up to the seventh result, modelled after the eighth."""
    algorithm = _bohb(max_budget=81)
    for i in range(9):
        assert (algorithm._fitted() is not None) == (i == 8)
        plan = _finish(algorithm, i, float(i))
        assert (plan.decisions == NUMBERS.sample(_after_coin(i))) == (i < 8)


def _after_coin(trial_id: int) -> Any:
    rng = attempt_rng(0, trial_id, 0)
    rng.random()  # decides whether the model is asked
    return rng


def test_failures_do_not_make_a_model() -> None:
    """Nor do they end up among the good ones, whatever their number."""
    algorithm = _bohb(max_budget=81)
    for i in range(40):
        _finish(algorithm, i, None)
    assert algorithm._fitted() is None
    for i in range(40, 48):
        _finish(algorithm, i, -math.inf)
    model = algorithm._fitted()
    assert model is not None
    good, bad = model
    rows = algorithm._rows[1.0]
    assert [row[0] for row in rows] == [False] * 8 + [True] * 40
    assert good.rows.tolist() == [row[3] for row in rows[:7]]
    assert bad.rows.tolist() == [row[3] for row in rows[7:]]


def test_the_model_is_of_the_largest_budget_that_has_enough() -> None:
    """What is known at full budget counts, and not the many results of short trainings."""
    algorithm = _bohb()
    run(algorithm, lambda i, plan: -(plan.budget or 0) + accuracy(i, plan), trials=60)
    assert algorithm._reached[3.0] > 7
    assert algorithm._reached[9.0] > 7
    model = algorithm._fitted()
    assert model is not None
    rows = algorithm._rows[9.0]
    count = max(7, int(0.15 * len(rows)))
    assert model[0].rows.tolist() == [row[3] for row in rows[:count]]
    assert len(rows) < len(algorithm._rows[1.0])


def test_few_rows_are_shared_by_both_densities() -> None:
    """With eight rows the best seven are good and the worst seven bad (d = 6)."""
    algorithm = _bohb(max_budget=81)
    for i in range(8):
        _finish(algorithm, i, float(i))
    model = algorithm._fitted()
    assert model is not None
    rows = [row[3] for row in algorithm._rows[1.0]]
    assert [kde.rows.tolist() for kde in model] == [rows[:7], rows[1:]]


def test_proposals_move_to_the_good_half() -> None:
    """Of one number, the best fifteen per cent of a hundred lie close to 0.7."""
    algorithm = _bohb(max_budget=243)
    rng = attempt_rng(5, 0, 0)
    for i in range(100):
        decisions = NUMBERS.sample(rng)
        plan = Plan(decisions, 1.0)
        algorithm.restore(i, plan)
        reward = -abs(decisions.values[1] - 0.7)  # type: ignore[operator]
        algorithm.feedback(Observation(i, plan, "completed", (reward,)))
    drawn = [
        algorithm.propose(100 + i, attempt_rng(0, i, 0)).decisions.values[1] for i in range(60)
    ]
    assert statistics.mean(abs(v - 0.7) for v in drawn) < 0.1  # type: ignore[operator]


def test_one_in_three_is_random() -> None:
    """By default, also when there is a model."""
    algorithm = _bohb(max_budget=243, random_fraction=None)
    rng = attempt_rng(5, 0, 0)
    for i in range(20):
        plan = Plan(NUMBERS.sample(rng), 1.0)
        algorithm.restore(i, plan)
        algorithm.feedback(Observation(i, plan, "completed", (float(i),)))
    drawn = [
        algorithm._draw(i, attempt_rng(0, i, 0)) == NUMBERS.sample(_after_coin(i))
        for i in range(100, 400)
    ]
    assert statistics.mean(drawn) == pytest.approx(1 / 3, abs=0.07)


def test_a_model_that_insists_on_what_is_rejected_is_overruled() -> None:
    """After twenty rejections of one trial its proposals are random."""
    algorithm = _bohb(CELLS, max_budget=81, min_bandwidth=1e-9)
    for i in range(20):
        plan = Plan(CELLS.sample(attempt_rng(0, i % 2, 0)), 1.0)
        algorithm.restore(i, plan)
        algorithm.feedback(Observation(i, plan, "completed", (float(-(i % 2)),)))
    draws = [
        algorithm.propose(20, attempt_rng(0, 20, attempt)).decisions
        for attempt in range(PATIENCE + 20)
    ]
    assert len(set(draws[:PATIENCE])) < 8
    assert len(set(draws[PATIENCE:])) > 15


@pytest.mark.parametrize("space", [CELLS, MIXED], ids=["cells", "mixed"])
def test_resume_anywhere(space: Any) -> None:
    """The model is a function of the results, whoever fitted it before."""
    make = lambda: Bohb(max_budget=9, random_fraction=0.2)  # noqa: E731
    events = assert_resumes_anywhere(make, space, trials=40, workers=4)
    assert any(e.plan.parent is not None for e in events)


@pytest.mark.parametrize(
    ("preset", "space", "margin"), [("default", NUMBERS, 0.003), ("nats", CELLS, 0.01)]
)
def test_better_than_hyperband(preset: Any, space: Any, margin: float) -> None:
    """Mean of eight searches for the same epochs, four workers."""
    best: dict[type, list[float]] = {Bohb: [], Hyperband: []}
    for seed in range(8):
        for kind, options in ((Bohb, {"preset": preset}), (Hyperband, {})):
            algorithm = kind(max_budget=FULL, **options)
            algorithm.setup(space, ONE, seed)
            done = run(algorithm, seed=seed, workers=4, epochs=540)
            best[kind].append(done.best(FULL))
    assert statistics.mean(best[Bohb]) > statistics.mean(best[Hyperband]) + margin


def test_numpy_is_imported_with_the_first_model() -> None:
    """The module itself needs only the standard library."""
    code = "import sys, automl_algorithms.multi_trial.bohb; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "nat"}, r"no preset nat \(did you mean nats\?\)"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"random_fraction": 1.5}, r"random_fraction must be in \[0, 1\], got 1.5"),
        ({"min_bandwidth": 0}, "min_bandwidth must be above 0"),
        ({"eta": 1}, "eta must be at least 2"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """With what is allowed."""
    with pytest.raises(UserError, match=message):
        Bohb(**options)
