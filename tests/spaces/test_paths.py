"""Paths and patterns: reading, writing, and what is no path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.errors import PathError
from automl_spaces.paths import ANY_DEPTH, ANY_INDEX, ANY_KEY, Wild, format_path, parse_path

from .strategies import LAW, texts


@LAW
@given(st.lists(texts | st.integers(), max_size=5).map(tuple))
def test_paths_round_trip(path: Any) -> None:
    """Of any keys: quotes, dots, brackets, line breaks, stars, the empty text."""
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ()),
        ("lr", ("lr",)),
        ("model.blocks[3].kernel_size", ("model", "blocks", 3, "kernel_size")),
        ("blocks[-1]", ("blocks", -1)),
        ("[0][1].a", (0, 1, "a")),
        ("a['b.c'].d", ("a", "b.c", "d")),
        ("""a["it's"]""", ("a", "it's")),
        ("a.['b']", ("a", "b")),
        ("weight-decay", ("weight-decay",)),
        ("['*']", ("*",)),
    ],
)
def test_reading(text: str, path: Any) -> None:
    """As in Python; awkward keys are quoted."""
    assert parse_path(text) == path
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize(
    "text", [".", ".a", "a.", "a..b", "a b", "[", "[x]", "a[1", "a[1]b", "3", "a['b", "a[]", "ä"]
)
def test_no_paths(text: str) -> None:
    """Told, with the place from which on it cannot be read."""
    with pytest.raises(PathError, match="is not a path"):
        parse_path(text)


def test_patterns_are_no_paths() -> None:
    """A wildcard is refused where one place is meant, and read where many are."""
    for text in ("a.*", "a[*]", "**.a", "a[1:]"):
        with pytest.raises(PathError, match="has a wildcard where one place is expected"):
            parse_path(text)
        assert any(isinstance(key, Wild) for key in parse_path(text, pattern=True))
        assert format_path(parse_path(text, pattern=True)) == text
    assert parse_path("a[*].*.**", pattern=True) == ("a", ANY_INDEX, ANY_KEY, ANY_DEPTH)


def test_a_star_that_is_a_key_is_no_wildcard() -> None:
    """Quoted it means itself, also in a pattern."""
    assert not any(isinstance(key, Wild) for key in parse_path("['*']['[*]']", pattern=True))
    assert format_path(("*", "**", "[*]")) == "['*']['**']['[*]']"


def test_keys_that_are_neither_text_nor_position() -> None:
    """A mapping may have them; they are shown."""
    assert format_path(("a", None, 1.5)) == "a[None][1.5]"  # type: ignore[arg-type]


def test_spans() -> None:
    """Positions from a start up to and without an end."""
    (span,) = parse_path("[2:5]", pattern=True)
    assert isinstance(span, Wild)
    assert [k for k in range(8) if span.fits(k, listed=True)] == [2, 3, 4]
    assert not span.fits(3, listed=False)
    (tail,) = parse_path("[:]", pattern=True)
    assert isinstance(tail, Wild)
    assert all(tail.fits(k, listed=True) for k in range(8))
