"""Which reward vectors no other one beats."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_algorithms.pareto import GrowingFront, dominates, hypervolume, non_dominated

vectors = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), max_size=25)


def test_a_known_front() -> None:
    """The corner of the staircase is dominated, the stairs are not."""
    assert non_dominated([(1.0, 5.0), (3.0, 3.0), (2.0, 2.0), (5.0, 1.0)]) == [0, 1, 3]


def test_failed_trials_and_equals() -> None:
    """An empty vector never counts; equal vectors stay together."""
    assert non_dominated([(), (1.0,), (2.0,), (2.0,), ()]) == [2, 3]
    assert non_dominated([]) == []


@given(vectors)
def test_front_by_definition(rewards: list[tuple[float, ...]]) -> None:
    """The quick way finds exactly what the definition says."""
    by_definition = [i for i, a in enumerate(rewards) if not any(dominates(b, a) for b in rewards)]
    assert non_dominated(rewards) == by_definition


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_one_objective_is_the_maximum(rewards: list[float]) -> None:
    """With one objective the front is every trial that reaches the best value."""
    found = non_dominated([(r,) for r in rewards])
    assert found == [i for i, r in enumerate(rewards) if r == max(rewards)]


def test_a_known_hypervolume() -> None:
    """Two overlapping rectangles; what is not above the reference adds nothing."""
    assert hypervolume([(2.0, 1.0), (1.0, 3.0), (5.0, 0.0), (-1.0, 9.0)], (0.0, 0.0)) == 4.0
    assert hypervolume([], (0.0, 0.0)) == 0.0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_hypervolume_counts_the_dominated_squares(points: list[tuple[int, int]]) -> None:
    """On whole numbers it is the number of unit squares below some vector."""
    squares = {(i, j) for x, y in points for i in range(x) for j in range(y)}
    assert hypervolume(points, (0, 0)) == len(squares)


pairs = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=15)


@given(pairs, st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_laws_of_the_hypervolume(
    points: list[tuple[float, float]], new: tuple[float, float]
) -> None:
    """More vectors are never less, order is irrelevant, the front alone is enough."""
    reference = (-1.0, -1.0)
    area = hypervolume(points, reference)
    assert hypervolume([*points, new], reference) >= area - 1e-12
    assert hypervolume(points[::-1], reference) == area
    front = [points[i] for i in non_dominated(points)]
    assert hypervolume(front, reference) == pytest.approx(area)
    mirrored = [(y, x) for x, y in points]
    assert hypervolume(mirrored, reference) == pytest.approx(area)


@given(
    st.integers(3, 4).flatmap(
        lambda d: st.lists(st.tuples(*[st.integers(0, 3)] * d), min_size=1, max_size=12)
    )
)
def test_hypervolume_counts_the_dominated_cubes(points: list[tuple[int, ...]]) -> None:
    """On whole numbers it is the number of unit cubes below some vector."""
    cubes = {cube for p in points for cube in itertools.product(*map(range, p))}
    assert hypervolume(points, (0,) * len(points[0])) == len(cubes)


def test_hypervolume_is_measured_from_the_reference_in_every_reward() -> None:
    """A vector below it in one of them adds nothing; another reference is another box."""
    points = [(2.0, 2.0, 2.0), (3.0, 3.0, 0.5)]
    assert hypervolume(points, (1.0, 1.0, 1.0)) == 1.0
    assert hypervolume(points, (0.0, 0.0, 0.0)) == 8.0 + (9.0 - 4.0) * 0.5


@pytest.mark.parametrize("count", [1, 5])
def test_the_hypervolume_of_other_numbers_of_rewards_is_refused(count: int) -> None:
    """One reward has a maximum; five would take too long."""
    with pytest.raises(ValueError, match=f"for 2 to 4 rewards, not for {count}"):
        hypervolume([(1.0,) * count], (0.0,) * count)


@given(vectors, st.booleans())
def test_a_growing_front_is_the_front_of_all_so_far(
    rewards: list[tuple[float, ...]], given_one: bool
) -> None:
    """Its hypervolume too, from a given reference or the worst so far; and that never falls."""
    front, before = GrowingFront((1.0, 1.0, 1.0) if given_one else None), 0.0
    assert front.volume == 0
    for count, vector in enumerate(rewards, 1):
        front.take(vector)
        told = rewards[:count]
        assert {*front.members} == {told[i] for i in non_dominated(told)}
        worst = (1.0, 1.0, 1.0) if given_one else tuple(map(min, zip(*told, strict=True)))
        assert front.volume == hypervolume(told, worst)
        assert front.volume >= before
        before = front.volume
