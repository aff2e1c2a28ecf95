"""The unit interval laid over ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.scales import SCALES, from_unit, grid_size, grid_value, to_unit

from .strategies import LAW

scales = st.sampled_from(SCALES)
ranges = st.tuples(st.floats(1e-9, 1e6), st.floats(1.001, 1e6)).map(lambda r: (r[0], r[0] * r[1]))


@LAW
@given(st.floats(0.0, 1.0), ranges, scales)
def test_to_unit_is_the_inverse_of_from_unit(
    u: float, limits: tuple[float, float], scale: str
) -> None:
    """The number at a position has that position, up to the precision of the number."""
    value = from_unit(u, *limits, scale)
    assert limits[0] <= value <= limits[1]
    assert from_unit(to_unit(value, *limits, scale), *limits, scale) == pytest.approx(
        value, rel=1e-9
    )
    if scale != "reverse_log":
        assert to_unit(value, *limits, scale) == pytest.approx(u, abs=1e-9)


@LAW
@given(ranges, scales)
def test_the_ends_are_exact(limits: tuple[float, float], scale: str) -> None:
    """0 is min and 1 is max, and nothing lies beyond."""
    assert from_unit(0.0, *limits, scale) == from_unit(-1.0, *limits, scale) == limits[0]
    assert from_unit(1.0, *limits, scale) == from_unit(2.0, *limits, scale) == limits[1]


@LAW
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), ranges, scales)
def test_scales_keep_the_order(u: float, v: float, limits: tuple[float, float], scale: str) -> None:
    """A larger position is never a smaller number."""
    low, high = sorted((u, v))
    assert from_unit(low, *limits, scale) <= from_unit(high, *limits, scale)


def test_grids() -> None:
    """How many and which, without the dust of binary fractions."""
    assert grid_size(0.0, 0.3, 0.1) == 4
    assert [grid_value(i, 0.1, 0.1) for i in range(3)] == [0.1, 0.2, 0.3]
    assert grid_value(3, -0.3, 0.1) == 0.0
    assert grid_size(0, 2**53, 1) == 2**53 + 1
    assert grid_value(2, 10**9, 1) == 10**9 + 2
