"""Which reward vectors no other one beats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from automl_algorithms.pareto import dominates, non_dominated

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
