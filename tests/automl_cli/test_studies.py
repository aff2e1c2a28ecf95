"""Names of studies."""

from __future__ import annotations

import re
from typing import Any

import pytest

from automl_cli.studies import name_ending


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "-evolution-7"),
        ({"preset": "nats"}, "-evolution-preset=nats-7"),
        ({"tournament": 3, "crossover": 0.5}, "-evolution-crossover=0.5,tournament=3-7"),
        ({"replacement": True}, "-evolution-replacement=true-7"),
    ],
)
def test_options_stand_in_the_name(options: dict[str, Any], expected: str) -> None:
    """Without any the name is the plain one, so that studies from before are resumed."""
    assert name_ending("evolution", options, 7) == expected


def test_the_order_of_options_does_not_matter() -> None:
    """However they were written, it is the same study."""
    assert name_ending("a", {"x": 1, "y": 2}, 0) == name_ending("a", {"y": 2, "x": 1}, 0)


def test_odd_and_long_options_are_told_apart_and_can_name_files() -> None:
    """What is cut or replaced is made up for by a digest."""
    odd = ["a/b", "a:b", "a b", "a" * 300, "a" * 301, "ü\n"]
    names = [name_ending("a", {"option": value}, 0) for value in odd]
    assert len({*names}) == len(odd)
    assert all(re.fullmatch(r"[\w.+=,-]{1,70}", name) for name in names)
