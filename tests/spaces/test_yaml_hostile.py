"""Hostile YAML, files that are no recipes, and nodes merged or read as plain data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from automl_spaces.errors import UserError
from automl_spaces.traversal import same, walk
from automl_spaces.yaml_reader import MAX_BYTES, compose, compose_file, merge, plain
from automl_spaces.yaml_values import from_yaml

from .programs import Adam, Conv, Pool


def faults(text: str, **options: Any) -> list[str]:
    """Every mistake of a text, as it is shown."""
    with pytest.raises(UserError) as caught:
        from_yaml(text, file="r.yaml", **options)
    return [str(problem) for problem in caught.value.problems]


# Hostile texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object:os.system",
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!binary aGVsbG8=",
        "!!timestamp 2024-01-01",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!<tag:yaml.org,2002:python/name:os.system> x",
    ],
)
def test_tags_of_others_are_refused(tag: str) -> None:
    """Nothing but the core schema and our own names means anything."""
    (problem,) = faults(f"a: 1\nx: {tag}\n")
    assert problem.startswith("r.yaml:2:4: the tag !!")
    assert "is not allowed" in problem


def test_a_tag_directive_does_not_help() -> None:
    """A handle of one's own for the same tags."""
    (problem,) = faults("%TAG !p! tag:yaml.org,2002:python/\n---\n!p!name:os.system x\n")
    assert problem.startswith("r.yaml:3:1: the tag !!python/name:os.system is not allowed")


def test_a_bomb_of_aliases() -> None:
    """Refused at once, without being unfolded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    before = time.perf_counter()
    (problem,) = faults("\n".join(lines))
    assert "unfolds to more than 100,000 values" in problem
    assert problem.startswith("r.yaml:6:5:")
    assert time.perf_counter() - before < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000 + "]" * 3000,
        "{a: " * 3000 + "1" + "}" * 3000,
        "- " * 3000 + "1",
        "? " * 3000 + "1",
        "[" * 1_000_000,
        "\n".join(" " * i + "a:" for i in range(1500)),
        "\r".join(" " * i + "a:" for i in range(1500)),
        "\n".join(" " * i + "-" for i in range(1500)),
        "\n".join(" " * i + "- b:" for i in range(0, 600, 2)),
        "!toy_any {a: " * 200 + "1" + "}" * 200,
    ],
    ids=["flow", "maps", "dashes", "keys", "open", "block", "cr", "lines", "mixed", "tags"],
)
def test_deep_nesting(text: str) -> None:
    """In flow and block style; the C stack and Python's both stay whole."""
    (problem,) = faults(text)
    assert problem.startswith("r.yaml:")
    assert "nested more than 100 deep" in problem or "not valid YAML" in problem


def test_a_hundred_levels_are_allowed() -> None:
    """The bound is for attackers, not for programs."""
    value = from_yaml("[" * 99 + "]" * 99)
    assert sum(1 for _ in walk(value)) == 99


def test_a_text_too_long() -> None:
    """Told before it is parsed."""
    (problem,) = faults("x" * (MAX_BYTES + 1))
    assert "more than a recipe can have" in problem


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff\xfe\n", "not a text in UTF-8"),
        (b"a: 1\x00\n", "not valid YAML"),
        (b"a: \x07\n", "not valid YAML"),
        (b"a" * 5_000_000, "more than 4,000,000 bytes"),
        ("\ufeffa: [".encode(), "not valid YAML"),
    ],
)
def test_files_that_are_no_recipes(tmp_path: Path, content: bytes, message: str) -> None:
    """Bytes that are no text, controls, and five megabytes."""
    file = tmp_path / "r.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        compose_file(file, "shown.yaml")
    assert str(caught.value).startswith("shown.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            compose_file(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one."""
    file = tmp_path / "r.yaml"
    file.write_bytes("\ufeffa: 1\n".encode())
    node = compose_file(file)
    assert node is not None
    assert plain(node) == {"a": 1}


def test_numbers_too_long_to_be_meant() -> None:
    """Python refuses ten thousand digits; so does the reader, briefly."""
    (problem,) = faults(f"x: {'9' * 10_000}\n")
    assert problem.startswith("r.yaml:1:4: '999")
    assert len(problem) < 200


# Nodes -------------------------------------------------------------------------------------------


def test_merge() -> None:
    """Untagged mappings key by key; whatever else replaces."""
    base = compose("a: {x: 1, y: 2}\nb: [1]\nc: !ToyConv {kernel_size: 3}\n", "base")
    over = compose("a: {y: 3, z: 4}\nb: [2]\nc: {filters: 8}\nd: 5\n", "over")
    assert over is not None
    from automl_spaces.errors import Problems
    from automl_spaces.yaml_values import Reader

    problems = Problems()
    merged = Reader([], problems).read(merge(base, over))
    assert problems.found == []
    assert merged == {"a": {"x": 1, "y": 3, "z": 4}, "b": [2], "c": Conv(3, 8), "d": 5}
    replaced = compose("c: !ToyPool {}\n", "over")
    assert replaced is not None
    assert Reader([], problems).read(merge(base, replaced))["c"] == Pool()


def test_plain_data_knows_no_tags() -> None:
    """Recipe keys such as `budget` are data."""
    node = compose("{a: [1, x, 2.5], b: {}}", "r")
    assert node is not None
    assert plain(node) == {"a": [1, "x", 2.5], "b": {}}
    tagged = compose("a: 1\nb: !ToyConv {}\n", "r.yaml")
    assert tagged is not None
    with pytest.raises(UserError, match=r"r.yaml:2:4: the tag !ToyConv has no meaning here"):
        plain(tagged)


def test_an_empty_text() -> None:
    """Is nothing."""
    assert compose("", "r") is None
    assert from_yaml("# only a comment\n") is None
    assert same(from_yaml("!ToyAdam {lr: 1}"), Adam(1))
