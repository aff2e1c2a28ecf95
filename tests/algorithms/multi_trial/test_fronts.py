"""Non-dominated sorting and crowding, against values found by hand and by definition."""

from __future__ import annotations

import math
import random

import pytest

from automl_algorithms.multi_trial._fronts import crowding, fronts
from automl_algorithms.pareto import non_dominated

INF = math.inf


def test_known_fronts() -> None:
    """Three fronts of a picture that is easily drawn; a double stays beside its original."""
    rewards = [(1.0, 5.0), (3.0, 3.0), (5.0, 1.0), (1.0, 4.0), (2.0, 2.0), (0.0, 0.0), (3.0, 3.0)]
    assert [sorted(f) for f in fronts(rewards)] == [[0, 1, 2, 6], [3, 4], [5]]


def test_one_reward_is_ranked() -> None:
    """Fronts of one component are the distinct values from the largest on."""
    assert [sorted(f) for f in fronts([(2.0,), (3.0,), (2.0,), (-INF,)])] == [[1], [0, 2], [3]]
    assert fronts([]) == []


@pytest.mark.parametrize("components", [1, 2, 3, 4])
def test_fronts_are_peeled_off_one_after_the_other(components: int) -> None:
    """Deb et al.'s definition: the non-dominated, then those without them, and so on."""
    rng = random.Random(components)
    for _ in range(50):
        rewards = [tuple(float(rng.randrange(6)) for _ in range(components)) for _ in range(30)]
        left, expected = list(range(30)), []
        while left:
            front = [left[i] for i in non_dominated([rewards[j] for j in left])]
            expected.append(front)
            left = [i for i in left if i not in front]
        assert [sorted(f) for f in fronts(rewards)] == expected


def test_crowding_by_hand() -> None:
    """Ranges 10 and 10: the inner two have (4 - 0) / 10 + (10 - 4) / 10 and 9 / 10 + 7 / 10."""
    front = [(0.0, 10.0), (1.0, 7.0), (4.0, 4.0), (10.0, 0.0)]
    assert crowding(front) == pytest.approx([INF, 0.4 + 0.6, 0.9 + 0.7, INF])


def test_crowding_of_doubles() -> None:
    """Of three alike on the inside, the middle one has no room at all."""
    front = [(0.0, 4.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (4.0, 0.0)]
    room = crowding(front)
    assert room[2] == 0.0
    assert room[0] == room[4] == INF


def test_a_component_that_says_nothing() -> None:
    """Equal values give nobody room; infinite ones (no latency at all) never give NaN."""
    assert crowding([(1.0, 2.0)]) == [0.0]
    assert crowding([(3.0, 0.0), (3.0, 5.0), (3.0, 4.0)]) == [INF, INF, 1.0]
    assert crowding([(-INF, 3.0), (1.0, 2.0), (2.0, 1.0)]) == [INF, 1.0, INF]
