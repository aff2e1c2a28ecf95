"""Rewards: what costs do to them, and what a training that is ruined counts for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_algorithms.weight_sharing._rewards import FlooredRewards, Rewards

FREE: dict[str, Any] = {}
REWARD = st.floats(-10, 10)


def priced(shape: Any = "absolute", beta: float = -0.2) -> Rewards:
    """With a target of 100 for the price."""
    return Rewards({"price": (100.0, shape)}, beta, 0.95)


def test_the_absolute_reward_is_highest_at_the_target_and_symmetric() -> None:
    """Section 3.1 of TuNAS: Q + beta |T / T0 - 1|."""
    rewards = priced(beta=-0.1)
    at = {t: rewards.of(0.8, {"price": t}) for t in (80, 90, 100, 110, 120)}
    assert at[100] == 0.8
    assert at[90] == pytest.approx(0.79)
    assert at[80] == pytest.approx(at[120])
    assert at[90] == pytest.approx(at[110])


def test_what_cannot_be_run_has_the_worst_reward_so_far() -> None:
    """Also after going on from a state; before anything is known it is the mean."""
    rewards = priced("hinge")
    assert rewards.of(0.8, {"price": math.inf}) == rewards.baseline.mean == 0
    for price in (50, 300, 150):
        rewards.of(0.8, {"price": price})
    assert rewards.of(0.9, {"price": math.inf}) == pytest.approx(0.8 - 0.2 * 2)
    again = priced("hinge")
    again.load_state_dict(rewards.state_dict())
    assert again.of(0.1, {"price": -math.inf}) == rewards.worst


@pytest.mark.parametrize(
    ("shape", "price", "kept"),
    [("absolute", 103, True), ("absolute", 96, False), ("hinge", 50, True), ("hinge", 104, False)],
)
def test_three_per_cent_off_are_on_target(shape: Any, price: float, kept: bool) -> None:
    """On the side that counts."""
    assert priced(shape).on_target({"price": price}) is kept


@given(st.lists(REWARD, min_size=2, max_size=8))
def test_records_that_were_judged_together_are_compared_with_the_others(given: list[float]) -> None:
    """What they have in common drops out: n / (n - 1) times what each has beside their mean."""
    rewards = Rewards(FREE, 0.0, 0.9)
    found = rewards.take(given)
    mean, n = sum(given) / len(given), len(given)
    assert found == pytest.approx([n / (n - 1) * (reward - mean) for reward in given], abs=1e-9)
    assert rewards.baseline.mean == pytest.approx(mean)


def test_one_that_was_judged_alone_is_compared_with_the_running_mean() -> None:
    """Which it is part of."""
    rewards = Rewards(FREE, 0.0, 0.5)
    assert rewards.take([1.0]) == [0.0]
    # (0.25 * 1 + 0.5 * 4) / 0.75 = 3
    assert rewards.take([4.0]) == pytest.approx([1.0])


def test_a_ruined_training_is_the_worst_but_no_worse_than_five_deviations() -> None:
    """Nor does anything else count for less, once the deviation is known."""
    rewards = FlooredRewards(FREE, 0.0, 0.9)
    assert rewards.of(-1e12, {}) == -1e12  # nothing is known yet
    for step in range(400):
        rewards.take([0.5 + 0.1 * (-1) ** step])
    floor = 0.5 - 5 * 0.1
    assert rewards.of(math.nan, {}) == pytest.approx(floor, abs=0.1)
    assert rewards.of(-1e12, {}) == rewards.of(math.nan, {})
    assert rewards.of(0.4, {}) == 0.4
    again = FlooredRewards(FREE, 0.0, 0.9)
    again.load_state_dict(rewards.state_dict())
    assert again.of(-1e12, {}) == rewards.of(-1e12, {})
    plain = Rewards(FREE, 0.0, 0.9)
    plain.take([0.5])
    assert plain.of(math.nan, {}) == 0.5
