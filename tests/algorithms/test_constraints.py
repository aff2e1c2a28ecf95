"""The reward that an algorithm is told of a trial outside of constraints."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_algorithms.constraints import FARTHEST, Constraint, feasible, needed, rewards
from automl_spaces.objective import Objective

HARD = Constraint(high=2.0, reward="hard", weight=-1.0)
SOFT = Constraint(high=2.0, reward="soft", weight=-0.07)
ABSOLUTE = Constraint(high=2.0, reward="absolute", weight=-0.5)
ACCURACY = Objective("accuracy")


def test_hard_is_the_reward_inside_and_less_outside() -> None:
    """NAHAS, section 4: the accuracy itself where the constraint is met, else divided by x."""
    assert HARD.shaped(0.8, 2.0) == HARD.shaped(0.8, 0.1) == 0.8
    assert HARD.shaped(0.8, 4.0) == 0.4


def test_soft_rewards_both_sides() -> None:
    """The exponent is the same: cheaper is better, at the target nothing changes."""
    assert SOFT.shaped(0.8, 2.0) == 0.8
    assert SOFT.shaped(0.8, 4.0) == pytest.approx(0.8 * 2**-0.07)
    assert SOFT.shaped(0.8, 1.0) == pytest.approx(0.8 * 2**0.07)


def test_absolute_peaks_at_the_target() -> None:
    """TuNAS: what is cheaper than the target is no better than what is dearer."""
    values = [0.5, 1.0, 1.9, 2.0, 2.1, 3.0, 4.0]
    told = [ABSOLUTE.shaped(0.8, v) for v in values]
    assert max(told) == told[values.index(2.0)] == 0.8
    assert ABSOLUTE.shaped(0.8, 3.0) == ABSOLUTE.shaped(0.8, 1.0) == pytest.approx(0.8 - 0.25)


def test_both_constraints_of_nahas() -> None:
    """R = acc (lat/T)^w0 (area/T)^w1, the ledger's metrics being what they are."""
    bounds = {"latency": HARD, "area": Constraint(high=10.0, reward="hard", weight=-1.0)}
    told = rewards([ACCURACY], bounds, {"accuracy": 0.9, "latency": 3.0, "area": 20.0})
    assert told == (pytest.approx(0.9 / 1.5 / 2.0),)
    assert rewards([ACCURACY], bounds, {"accuracy": 0.9, "latency": 2.0, "area": 1.0}) == (0.9,)


def test_a_lower_bound_is_the_mirror_image() -> None:
    """Half of what is asked for costs as much as twice what is allowed."""
    least = Constraint(low=2.0, reward="hard", weight=-1.0)
    assert least.shaped(0.8, 1.0) == HARD.shaped(0.8, 4.0)
    assert least.shaped(0.8, 5.0) == 0.8


constraints = st.sampled_from([HARD, SOFT, Constraint(1.0, 2.0, "hard", -2.0)])
numbers = st.floats(-1e3, 1e3)


@given(constraints, numbers, numbers, numbers)
def test_more_of_a_cost_is_never_better(
    constraint: Constraint, reward: float, value: float, more: float
) -> None:
    """Above the bound, whatever the sign of the reward; and what is told is finite."""
    small, large = sorted((max(value, 2.0), max(more, 2.0)))
    told = constraint.shaped(reward, small), constraint.shaped(reward, large)
    assert told[0] >= told[1]
    assert all(map(math.isfinite, told))
    assert math.isfinite(constraint.shaped(reward, value))


@given(constraints, numbers, numbers, numbers)
def test_a_better_metric_is_never_worse(
    constraint: Constraint, value: float, a: float, b: float
) -> None:
    """At the same cost the order of rewards stays."""
    low, high = sorted((a, b))
    assert constraint.shaped(low, value) <= constraint.shaped(high, value)


def test_a_loss_is_shaped_in_its_direction() -> None:
    """A metric to be small has rewards below zero: outside they are further below."""
    goals = [Objective("loss", "minimize"), ACCURACY]
    found = rewards(goals, {"c": HARD}, {"loss": 0.5, "accuracy": 0.5, "c": 4.0})
    assert found == (-1.0, 0.25)


def test_a_ratio_that_is_off_the_scale_counts_as_the_farthest() -> None:
    """A cost of nothing against a lower bound, and an infinite one."""
    least = Constraint(low=2.0, reward="hard", weight=-1.0)
    assert least.shaped(1.0, 0.0) == least.shaped(1.0, -5.0) == 1 / FARTHEST
    assert HARD.shaped(1.0, math.inf) == 1 / FARTHEST


def test_filters_change_no_reward() -> None:
    """What they forbid is not run at all."""
    metrics = {"accuracy": 0.9, "madds": 5.0}
    assert rewards([ACCURACY], {"madds": Constraint(high=1.0)}, metrics) == (0.9,)
    assert needed([ACCURACY], {"madds": Constraint(high=1.0), "c": HARD}) == ("accuracy", "c")


def test_without_the_metric_there_is_no_reward() -> None:
    """A trial that was pruned before it told its latency has no value either."""
    assert rewards([ACCURACY], {"c": HARD}, {"accuracy": 0.9}) == ()
    assert not feasible({"c": HARD}, {"accuracy": 0.9})
    assert feasible({"c": HARD}, {"c": 2.0})


@pytest.mark.parametrize(
    ("constraint", "fault"),
    [
        (Constraint(3.0, 2.0), "min 3 is above max 2"),
        (Constraint(1.0, 2.0, "soft", -1.0), "one target"),
        (Constraint(high=2.0, reward="hard", weight=1.0), "must not be positive"),
        (Constraint(high=0.0, reward="hard", weight=-1.0), "bounds above 0"),
        (Constraint(1.0, 2.0, "hard", -1.0), ""),
        (Constraint(high=-1.0), ""),
    ],
)
def test_faults(constraint: Constraint, fault: str) -> None:
    """Bounds that nothing can meet, rewards that would pull the wrong way."""
    assert fault in constraint.fault()
    assert bool(fault) == bool(constraint.fault())


@pytest.mark.parametrize(
    ("constraint", "text"),
    [(HARD, "<= 2"), (Constraint(low=1.5), ">= 1.5"), (Constraint(1.0, 2.0), "1 .. 2")],
)
def test_as_a_recipe_spells_it(constraint: Constraint, text: str) -> None:
    """Bounds read as they are written."""
    assert str(constraint) == text
