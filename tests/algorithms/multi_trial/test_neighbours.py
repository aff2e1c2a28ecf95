"""The neighbourhood of a record."""

from __future__ import annotations

import random
from typing import Any

import pytest

from automl_algorithms.multi_trial._neighbours import beside, neighbours
from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.space import Space
from tests.algorithms.spaces import SPACES, space_of


def _around(
    template: Any, record: dict[str, Any], numbers: int = 4, seed: int = 0
) -> list[dict[str, Any]]:
    space = Space.compile(template)
    found = neighbours(space, space.decode(record), random.Random(seed), numbers)
    return [dict(zip((p.id for p in space.points), v, strict=True)) for v in found]


def test_a_choice_has_every_other_candidate() -> None:
    """Six decisions of five: 24 neighbours, each different in one."""
    space = space_of("cells")
    centre = space.sample(random.Random(1))
    found = neighbours(space, centre, random.Random(0), 4)
    assert len(found) == len(set(found)) == 24
    distances = {sum(a != b for a, b in zip(v, centre.values, strict=True)) for v in found}
    assert distances == {1}


@pytest.mark.parametrize("name", SPACES)
def test_neighbours_are_records_of_the_space(name: str) -> None:
    """Each once, never the record itself, from the randomness of the argument alone."""
    space = space_of(name)
    for seed in range(30):
        centre = space.sample(random.Random(seed))
        found = neighbours(space, centre, random.Random(seed), 4)
        assert found == neighbours(space, centre, random.Random(seed), 4)
        assert len(found) == len(set(found))
        assert centre.values not in found
        for values in found:
            space.check(values)


@pytest.mark.parametrize(
    ("choice", "record", "expected"),
    [
        (
            manyof(2, ["a", "b", "c", "d"], sorted=True),
            ["a", "c"],
            {(0, 1), (0, 3), (1, 2), (2, 3)},
        ),
        (permutate(["a", "b", "c"]), ["a", "b", "c"], {(1, 0, 2), (2, 1, 0), (0, 2, 1)}),
        (manyof(2, ["a", "b", "c"]), ["a", "b"], {(2, 1), (0, 2), (1, 0)}),
        (
            manyof(2, ["a", "b", "c"], distinct=False, sorted=True),
            ["a", "b"],
            {(1, 1), (1, 2), (0, 0), (0, 2)},
        ),
        (manyof(2, ["a", "b"], distinct=False), ["a", "b"], {(1, 1), (0, 0)}),
        (manyof(2, ["a", "b"], sorted=True), ["a", "b"], set()),
    ],
    ids=["subset", "permutation", "arrangement", "multiset", "sequence", "nothing to change"],
)
def test_slots_are_replaced_or_trade_places(
    choice: Any, record: list[str], expected: set[tuple[int, ...]]
) -> None:
    """Their constraint is kept; an arrangement has both replacements and swaps."""
    found = _around({"x": choice}, {f"x[{i}]": label for i, label in enumerate(record)})
    assert {tuple(f.values()) for f in found} == expected


def test_what_becomes_active_is_drawn() -> None:
    """Another branch comes with decisions of its own, and without those of the old one."""
    template = {"op": oneof({"conv": {"k": oneof([3, 5])}, "pool": {"w": floatv(0.0, 1.0)}})}
    found = _around(template, {"op": "conv", "op(conv).k": 3})
    other = [f for f in found if f["op"] == 1]
    assert len(found) == 2
    assert other[0]["op(conv).k"] is None
    assert 0.0 <= other[0]["op(pool).w"] <= 1.0


def test_few_numbers_are_all_tried() -> None:
    """A grid of no more than `numbers` others is taken as a whole."""
    found = _around({"depth": intv(1, 5)}, {"depth": 2})
    assert {f["depth"] for f in found} == {1, 3, 4, 5}


@pytest.mark.parametrize("numbers", [1, 2])
@pytest.mark.parametrize(
    ("number", "value"),
    [
        (floatv(1e-5, 1e-1, scale="log"), 1e-3),
        (floatv(0.5, 0.999, scale="reverse_log"), 0.9),
        (floatv(0.0, 1.0), 0.0),
        (floatv(0.0, 1.0), 1.0),
        (floatv(0.0, 1.0, step=0.125), 0.5),
        (intv(8, 512, scale="log"), 64),
        (intv(1, 100), 1),
        (intv(1, 100), 100),
    ],
)
def test_numbers_move_on_their_own_scale(number: Any, value: float, numbers: int) -> None:
    """By at most half of it, at least one step of the grid, to both sides unless at an end."""
    point = Space.compile({"x": number}).points[0]
    around = (_around({"x": number}, {"x": value}, numbers, seed) for seed in range(80))
    found = [f["x"] for each in around for f in each]
    assert value not in found
    distances = [abs(point.to_unit(v) - point.to_unit(value)) for v in found]
    assert max(distances) <= 0.51
    assert max(distances) > 0.3
    assert min(distances) < 0.13
    at_an_end = value in (point.min, point.max)
    assert at_an_end or 0.3 < sum(v < value for v in found) / len(found) < 0.7


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [
        (oneof([24, 8, 16, 64]), 16, {8, 24}),
        (oneof([24, 8, 16, 64]), 64, {24}),
        (oneof([24, 8, 16, 64]), 8, {16}),
        (oneof([3, 5]), 3, {5}),
        (intv(1, 3), 1, {2}),
        (oneof(["conv", "pool", "skip"]), "pool", set()),
        (manyof(2, [3, 5, 7]), [3, 7], set()),
    ],
)
def test_beside_a_number_are_the_next_ones(choice: Any, value: Any, expected: set[int]) -> None:
    """Down and up; what is no number, or constrained with others, has nothing beside it."""
    space = Space.compile({"x": choice})
    record = (
        {f"x[{i}]": v for i, v in enumerate(value)} if isinstance(value, list) else {"x": value}
    )
    values, point = space.decode(record).values, space.points[0]
    moved = [beside(point, values, random.Random(seed)) for seed in range(40)]
    labels = {point.show(each[0]) for each in moved if each is not None and each[0] is not None}
    assert labels == expected
    assert (None in moved) == (not expected)
