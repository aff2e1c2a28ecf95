"""Records as vectors of numbers, and back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof
from automl_spaces.space import Space

from .strategies import LAW, small_spaces, spaces

seeds = st.integers(0, 2**32).map(random.Random)


@LAW
@given(spaces, seeds)
def test_a_vector_leads_back_to_its_record(space: Space, rng: random.Random) -> None:
    """Exactly for what is counted, to rounding for what is measured."""
    decisions = space.sample(rng)
    vector = space.vector(decisions)
    assert len(vector) == space.vector_size
    assert all(0.0 <= x <= 1.0 for x in vector)
    back = space.from_vector(vector)
    for point, a, b in zip(space.points, decisions.values, back.values, strict=True):
        exact = point.cardinality is not None or a is None
        assert a == b if exact else a == pytest.approx(b, rel=1e-9)


@LAW
@given(small_spaces, seeds)
def test_any_vector_is_near_some_record(space: Space, rng: random.Random) -> None:
    """Also one that no record has: a model's suggestion."""
    vector = [rng.uniform(-0.5, 1.5) for _ in range(space.vector_size)]
    space.check(space.from_vector(vector).values)


@LAW
@given(small_spaces)
def test_different_records_have_different_vectors(space: Space) -> None:
    """Nothing is lost."""
    records = list(space.enumerate())
    assert len({tuple(space.vector(d)) for d in records}) == len(records)


@pytest.mark.parametrize(
    ("choice", "shown", "vector"),
    [
        (oneof("abc"), "b", [0.0, 1.0, 0.0]),
        (oneof([7, 3, 5]), 5, [0.5]),
        (oneof([7, 3, 5]), 3, [0.0]),
        (floatv(0.0, 4.0), 1.0, [0.25]),
        (floatv(1e-4, 1.0, "log"), 1e-3, [0.25]),
        (intv(0, 10, step=5), 5, [0.5]),
        (oneof(["only"]), "only", [1.0]),
        (oneof([9]), 9, [0.0]),
    ],
)
def test_known_vectors(choice: Any, shown: Any, vector: list[float]) -> None:
    """One-hot without an order, the rank with one, the place on the scale for numbers."""
    space = Space([choice])
    decisions = space.decode({"[0]": shown})
    assert space.vector(decisions) == pytest.approx(vector)
    assert space.from_vector(vector) == decisions


def test_a_conditional_point_says_whether_it_is_active() -> None:
    """1 and its value, or 0 and 0."""
    space = Space([oneof({"adam": {"lr": floatv(0.0, 1.0)}, "sgd": 5})])
    adam = space.decode({"[0]": "adam", "[0](adam).lr": 0.5})
    assert space.vector(adam) == [1.0, 0.0, 1.0, 0.5]
    assert space.vector(space.decode({"[0]": "sgd"})) == [0.0, 1.0, 0.0, 0.0]


def test_a_sorted_selection_leaves_room_for_later_slots() -> None:
    """Three slots that all want the last candidate: two of them give way."""
    space = Space([manyof(3, "abcde", sorted=True)])
    wish = [0.0, 0.0, 0.0, 0.0, 1.0] * 3
    assert space.from_vector(wish).values == (0, 1, 4)
