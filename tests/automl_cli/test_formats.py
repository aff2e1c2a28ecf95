"""Numbers, durations and records as a person reads them."""

from __future__ import annotations

import math

import pytest

from automl_cli.formats import decisions_text, duration, number, short_name
from automl_cli.tree_text import folded_points, one_line, tree
from automl_spaces.choices import intv, oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space


def _net(blocks: list[object], width: float = 1.0) -> None:
    """A network of blocks."""


def _block(kernel_size: int = 3, filters: int = 8) -> None:
    """A block."""


Net, Block = symbolize(_net, "FormatNet"), symbolize(_block, "FormatBlock")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (25.0, "25"),
        (12345.678, "12.35k"),
        (3912384.0, "3.912M"),
        (3e8, "300M"),
        (-2.5e9, "-2.5G"),
        (1e-5, "1e-05"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    """Four significant digits; counts whole; large ones in units."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12.3ms"), (8.04, "8.0s"), (42.4, "42s"), (125, "2m05s"), (3723, "1h02m")],
)
def test_durations(seconds: float, text: str) -> None:
    """The two largest units, no more."""
    assert duration(seconds) == text


def test_names_are_as_short_as_they_can_be() -> None:
    """Only as much of a path as tells a name from the others."""
    names = ["model.blocks[0].kernel_size", "model.blocks[1].kernel_size", "optimizer.lr"]
    assert short_name(names[2], names) == "lr"
    assert short_name(names[0], names) == "blocks[0].kernel_size"


def test_records_are_cut() -> None:
    """A long record ends in an ellipsis and has the length asked for."""
    text = decisions_text({f"name_{i}": i for i in range(50)}, 40)
    assert len(text) == 40
    assert text.endswith("…")
    assert text.startswith("name_0=0 name_1=1")


def test_points_that_differ_in_a_position_are_folded() -> None:
    """Seventeen equal choices are one line, and what is left out shows as a gap."""
    blocks = [Block(kernel_size=3 if i == 2 else oneof([3, 5]), filters=8) for i in range(5)]
    rows = folded_points(Space(Net(blocks=blocks, width=oneof([0.5, 1.0]))))
    assert ("blocks[0..1,3..4].kernel_size", "{3, 5}", 4) in rows
    assert ("width", "{0.5, 1}", 1) in rows or ("width", "{0.5, 1.0}", 1) in rows


def test_a_tree_breaks_only_what_is_too_long() -> None:
    """Short nodes stay on a line; a long one gives each argument a line."""
    assert list(tree(Block(kernel_size=5))) == ["FormatBlock(kernel_size: 5)"]
    lines = list(tree(Net(blocks=[Block(kernel_size=k, filters=k * 8) for k in (3, 5, 7)] * 2)))
    assert lines[0] == "FormatNet"
    assert sum("FormatBlock(" in line for line in lines) == 6


def test_choices_in_one_line() -> None:
    """Candidates and ranges, as in a recipe."""
    assert one_line(oneof([3, 5])) == "oneof [3, 5]"
    assert one_line(intv(1, 8)) == "intv [1, 8]"
