"""Decision points as coordinates, and back."""

from __future__ import annotations

import random

import pytest

from automl_algorithms.multi_trial._axes import axis_of, mend, mend_group
from automl_spaces.choices import floatv, manyof, oneof
from automl_spaces.points import Group
from automl_spaces.space import Space
from tests.algorithms.spaces import SPACES, space_of


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("ordinal", [True, False])
def test_values_survive_the_way_there_and_back(name: str, ordinal: bool) -> None:
    """Every drawn value is its own image, through the coordinate and through the unit cube."""
    space, rng = space_of(name), random.Random(0)
    axes = [axis_of(p, ordinal=ordinal) for p in space.points]
    for _ in range(200):
        for axis, value in zip(axes, space.sample(rng).values, strict=True):
            if value is None:
                continue
            coordinate = axis.encode(value)
            assert axis.decode(coordinate) == pytest.approx(value, rel=1e-9)
            again = axis.from_unit(axis.to_unit(coordinate))
            assert axis.decode(again) == pytest.approx(value, rel=1e-9)
            if axis.kind != "unit":
                assert 0 <= coordinate < axis.size


@pytest.mark.parametrize("name", SPACES)
def test_every_place_of_the_cube_is_a_value(name: str) -> None:
    """The ends of [0, 1] included."""
    for point in space_of(name).points:
        axis = axis_of(point, ordinal=True)
        for u in (0.0, 0.123, 0.5, 0.999, 1.0):
            assert point.fits(axis.decode(axis.from_unit(u)))


def test_numbers_are_ordered_by_size_whatever_the_order_of_candidates() -> None:
    """7, 3, 5 become places 2, 0, 1; without `ordinal` they stay categories."""
    point = Space.compile({"k": oneof([7, 3, 5])}).points[0]
    axis = axis_of(point, ordinal=True)
    assert axis.kind == "grid"
    assert [axis.encode(i) for i in range(3)] == [2, 0, 1]
    assert [axis.decode(place) for place in range(3)] == [1, 2, 0]
    assert axis_of(point, ordinal=False).kind == "category"


def test_a_log_point_is_linear_to_the_optimiser() -> None:
    """Equal ratios are equal distances; a mirrored log scale is dense near its maximum."""
    space = Space.compile({"lr": floatv(1e-4, 1e0, scale="log")})
    axis = axis_of(space.points[0], ordinal=True)
    assert [axis.encode(v) for v in (1e-4, 1e-2, 1.0)] == pytest.approx([0.0, 0.5, 1.0])
    mirrored = Space.compile({"m": floatv(0.5, 0.999, scale="reverse_log")}).points[0]
    assert axis_of(mirrored, ordinal=True).encode(0.9) > 0.7


def test_mending_changes_as_little_as_it_can() -> None:
    """Valid slots stay; of equal ones the first stays; sorted slots are sorted."""
    rng = random.Random(0)
    distinct = Group((0, 1, 2, 3), distinct=True, sorted=False)
    values: list[int | float | None] = [2, 0, 2, 1]
    mend_group(distinct, values, 4, rng)
    assert values == [2, 0, 3, 1]
    mend_group(distinct, values, 4, rng)
    assert values == [2, 0, 3, 1]
    values = [3, 1, 1]
    mend_group(Group((0, 1, 2), distinct=False, sorted=True), values, 4, rng)
    assert values == [1, 1, 3]
    inactive: list[int | float | None] = [None, None]
    mend_group(Group((0, 1), distinct=True, sorted=True), inactive, 4, rng)
    assert inactive == [None, None]


def test_mending_reaches_every_group() -> None:
    """Two permutations of equal slots are permutations afterwards, what lies between stays."""
    letters = manyof(3, ["a", "b", "c"], distinct=True)
    space = Space.compile({"first": letters, "free": oneof([1, 2]), "second": letters})
    values: list[int | float | None] = [0, 0, 0, 1, 2, 2, 2]
    mend(space.points, values, random.Random(0))
    assert sorted(values[:3]) == sorted(values[4:]) == [0, 1, 2]  # type: ignore[type-var]
    assert values[3] == 1
