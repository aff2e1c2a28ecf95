"""Records that are evaluated as trials, each once."""

from __future__ import annotations

import random

import pytest

from automl_algorithms.contract import Exhausted, Plan
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
    derived.records = records
    assert [derived.propose(i, rng) for i in (1, 2)] == [records[0], records[2]]
