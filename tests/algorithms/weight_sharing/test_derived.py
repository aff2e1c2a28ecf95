"""Records that are evaluated as trials, each once."""

from __future__ import annotations

import random

import pytest

from automl_algorithms.contract import Exhausted, Observation, Plan
from automl_algorithms.weight_sharing.derived import Derived
from automl_spaces.space import Space
from tests.algorithms.spaces import space_of


@pytest.fixture
def space() -> Space:
    """Any."""
    return space_of("mixed")


def test_each_in_its_order_and_then_no_more(space: Space) -> None:
    """As they were found."""
    rng = random.Random(0)
    records = [space.sample(rng) for _ in range(3)]
    derived = Derived(records)
    assert [derived.propose(i, rng) for i in range(3)] == records
    with pytest.raises(Exhausted):
        derived.propose(3, rng)


def test_what_others_evaluated_is_not_evaluated_again(space: Space) -> None:
    """The baseline may be one of them, and a resumed run has some already."""
    rng = random.Random(0)
    records = [space.sample(rng) for _ in range(3)]
    derived = Derived()
    derived.restore(0, Plan(records[1]))
    derived.found = records
    assert [derived.propose(i, rng) for i in (1, 2)] == [records[0], records[2]]


def test_the_best_of_what_was_found_is_recommended(space: Space) -> None:
    """Not the baseline, not what is only compared, not what failed."""
    rng = random.Random(0)
    baseline, first, second, other, broken = (space.sample(rng) for _ in range(5))
    derived = Derived([first, second, broken], [other])
    assert derived.recommend() is None
    for trial, (record, reward) in enumerate(
        [(baseline, 0.9), (first, 0.5), (second, 0.7), (other, 0.8)]
    ):
        derived.feedback(Observation(trial, Plan(record), "completed", (reward,)))
    derived.feedback(Observation(4, Plan(broken), "failed"))
    assert derived.recommend() == 2
