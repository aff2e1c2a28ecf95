"""YAML: what is read, what is refused and where, and what is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import Mark, UserError
from automl_spaces.traversal import same, walk
from automl_spaces.yaml_reader import MAX_BYTES, compose, compose_file, merge, plain
from automl_spaces.yaml_values import from_yaml
from automl_spaces.yaml_writer import dump

from .programs import SGD, Adam, Conv, Net, Pool, anything, positions, static, train
from .strategies import LAW, templates, texts, trees


def faults(text: str, **options: Any) -> list[str]:
    """Every mistake of a text, as it is shown."""
    with pytest.raises(UserError) as caught:
        from_yaml(text, file="r.yaml", **options)
    return [str(problem) for problem in caught.value.problems]


# Round trips ------------------------------------------------------------------------------------


@LAW
@given(trees)
def test_static_trees_round_trip(tree: Any) -> None:
    """Whatever texts, numbers and keys there are."""
    assert same(from_yaml(dump(tree)), tree)


@LAW
@given(templates)
def test_spaces_round_trip(template: Any) -> None:
    """Choices too, inside of anything."""
    assert from_yaml(dump(template)) == template


@LAW
@given(texts, texts)
def test_texts_round_trip(key: str, value: str) -> None:
    """As a value, as a key, in a list, as an argument: never a number, a tag or an alias."""
    for tree in (value, {key: value}, [value, [value]], anything(a=value, b=[{key: value}])):
        assert same(from_yaml(dump(tree)), tree)


@LAW
@given(st.floats() | st.integers())
def test_numbers_round_trip(number: float) -> None:
    """Exactly, infinities and NaN included."""
    read = from_yaml(dump([number]))[0]
    assert same(read, number)
    assert type(read) is type(number)


@pytest.mark.parametrize(
    "tree",
    [
        static(),
        anything(c=oneof({"small": Conv(3), "1": Pool()}, name="op", default=Conv(3))),
        anything(c=manyof(2, ["a", "b", "c"], sorted=True, distinct=False)),
        anything(c=permutate(["a", Conv()]), d=intv(1, 8, step=2, scale="log")),
        anything(c=floatv(1e-5, 0.1, "reverse_log", name="lr", default=0.01)),
        positions(1, 2, 3, 4, last=5),
        anything(deep=[[[{"a": [1, {"b": Conv(3)}]}]]]),
        anything(long="word " * 60, key={"k" * 200: "v" * 200}),
        [],
        {},
        None,
        "text",
        [[], {}, ""],
    ],
)
def test_known_trees_round_trip(tree: Any) -> None:
    """Labels, names, defaults, *rest, long lines, empty things."""
    assert same(from_yaml(dump(tree)), tree)


def test_what_is_written_is_readable() -> None:
    """Short things on one line, no noise, no quotes where none are needed."""
    program = train(Net([Conv(oneof([3, 5])), Pool()]), SGD(floatv(1e-3, 1.0, "log")))
    text = (
        "!toy_train\n"
        "model: !ToyNet {blocks: [!ToyConv {kernel_size: !oneof [3, 5]}, !ToyPool {}]}\n"
        "optimizer: !ToySGD {lr: !floatv {min: 0.001, max: 1.0, scale: log}}\n"
    )
    assert dump(program) == text
    assert from_yaml(text) == program
    program.rebind({"model.blocks": [Conv(7, filters=64, stride=2)] * 3})
    assert dump(program.model) == (
        "!ToyNet\n"
        "blocks:\n"
        "- !ToyConv {kernel_size: 7, filters: 64, stride: 2}\n"
        "- !ToyConv {kernel_size: 7, filters: 64, stride: 2}\n"
        "- !ToyConv {kernel_size: 7, filters: 64, stride: 2}\n"
    )


def test_what_is_no_data_is_not_written() -> None:
    """As in JSON."""
    for value in (object(), {1, 2}, b"x", lambda: 0):
        with pytest.raises(UserError, match="cannot be written"):
            dump([value])


# Scalars and tags -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("4.0e-5", 4e-5),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1),
        ("~", None),
        ("null", None),
        ("", None),
        ("True", True),
        ("-.inf", float("-inf")),
        (".nan", float("nan")),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    """Not 1.1: a number is a number, and `no` is a text."""
    read = from_yaml(f"[{text}]" if text else "[~]")[0]
    assert same(read, value)
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!ToyConv", Conv()),
        ("!ToyConv {}", Conv()),
        ("!ToyConv 5", Conv(5)),
        ("!ToyConv [5, 8]", Conv(5, 8)),
        ("!ToyConv {kernel_size: 5}", Conv(5)),
        ("!toy_any {a: !ToyPool , b: [!ToyPool 3]}", anything(a=Pool(), b=[Pool(3)])),
        ("!toy_positions [1, 2, 3, 4]", positions(1, 2, 3, 4)),
        ("!oneof [3, 5]", oneof([3, 5])),
        ("!oneof {candidates: [3, 5], name: k}", oneof([3, 5], name="k")),
        ("!oneof {candidates: {a: 1, 2: 5}}", oneof({"a": 1, "2": 5})),
        ("!permutate [a, b]", permutate(["a", "b"])),
        ("!manyof {k: 2, candidates: [a, b]}", manyof(2, ["a", "b"])),
        ("!manyof [2, [a, b]]", manyof(2, ["a", "b"])),
        ("!floatv [0.1, 1.0, log]", floatv(0.1, 1.0, "log")),
        ("!intv [1, 9]", intv(1, 9)),
        ("!floatv [0, 1]", floatv(0, 1)),
    ],
)
def test_tags(text: str, value: Any) -> None:
    """Arguments by name, by position, or just one."""
    assert from_yaml(text) == value


def test_an_argument_of_a_tag_keeps_its_type() -> None:
    """A plain number is a number and a quoted one a text."""
    assert from_yaml("!ToyConv 5").kernel_size == 5
    assert faults("!ToyConv '5'") == ["r.yaml:1:1: ToyConv.kernel_size: expected int, got str '5'"]


def test_an_alias_is_a_copy_of_its_own() -> None:
    """An edit of one place does not show in the other."""
    read = from_yaml("a: &x !ToyConv {kernel_size: 3}\nb: *x\n")
    assert read["a"] == read["b"]
    read["a"].rebind(kernel_size=5)
    assert read["b"].kernel_size == 3


def test_nodes_know_where_they_were_written() -> None:
    """File, line and column, through clone and materialise."""
    read = from_yaml("!toy_any\nmodel:\n  - !ToyConv {}\n", file="r.yaml")
    assert read.mark == Mark("r.yaml", 1, 1)
    assert read.clone().model[0].mark == Mark("r.yaml", 3, 5)


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            ["r.yaml:3:1: a: written twice; first at line 1"],
        ),
        ("&x a: 1\n*x : 2\n", ["r.yaml:1:1: a: written twice; first at line 1"]),
        ("1: a\n01: b\n", ["r.yaml:2:1: 01: written twice; first at line 1"]),
        ("[a]: 1\n", ["r.yaml:1:1: a key must be a plain value"]),
        ("{a: 1}: 1\n", ["r.yaml:1:1: a key must be a plain value"]),
        (
            "model: !ToyConv {kernel_siz: 3}\n",
            ["r.yaml:1:18: ToyConv has no argument kernel_siz (did you mean kernel_size?)"],
        ),
        (
            "x:\n  - !ToyConv {filters: many}\n",
            ["r.yaml:2:15: ToyConv.filters: expected int, got str 'many'"],
        ),
        ("x: !ToySGD {}\n", ["r.yaml:1:4: ToySGD lacks the argument lr"]),
        (
            "x: !ToyConvv {}\n",
            ["r.yaml:1:4: unknown symbol ToyConvv (did you mean ToyConv?)"],
        ),
        ("x: !onof [1]\n", ["r.yaml:1:4: unknown symbol onof (did you mean oneof?)"]),
        ("x: !oneof []\n", ["r.yaml:1:4: oneof has no candidates"]),
        ("x: !floatv [0, 1, log]\n", ["r.yaml:1:4: floatv: a log scale needs min above 0, not 0"]),
        ("x: !!int abc\n", ["r.yaml:1:4: 'abc' is not a int"]),
        ("x: !!bool maybe\n", ["r.yaml:1:4: 'maybe' is not a bool"]),
        ("x: 'open\n", ["r.yaml:2:1: not valid YAML"]),
        ("a: 1\n\tb: 2\n", ["r.yaml:2:1: not valid YAML"]),
        ("a: [1, 2\nb: 3\n", ["r.yaml:2:2: not valid YAML"]),
        ("a: 1\n---\nb: 2\n", ["r.yaml:2:1: not valid YAML"]),
        ("a: *nowhere\n", ["r.yaml:1:4: not valid YAML"]),
        ("a: &x [*x]\n", ["r.yaml:1:4: an alias stands inside of what it names"]),
        ("a: &x {b: {c: *x}}\n", ["r.yaml:1:4: an alias stands inside of what it names"]),
    ],
)
def test_mistakes_and_their_places(text: str, shown: list[str]) -> None:
    """File, line and column of each, and the nearest name."""
    found = faults(text)
    assert len(found) == len(shown)
    for problem, start in zip(found, shown, strict=True):
        assert problem.startswith(start)


def test_every_mistake_of_a_file_at_once() -> None:
    """In the order of their places."""
    text = (
        "- !ToyConv {kernel_siz: 3}\n"
        "- !NoSuch {}\n"
        "- !ToyPool {kernel_size: x}\n"
        "- !ToyConv {a: 1, b: 2}\n"
    )
    assert [problem[:11] for problem in faults(text)] == [
        "r.yaml:1:13",
        "r.yaml:2:3:",
        "r.yaml:3:13",
        "r.yaml:4:13",
        "r.yaml:4:19",
    ]


def test_a_mistake_through_an_alias_is_told_once() -> None:
    """And it causes no others."""
    assert faults("- &x !ToyConv {kernel_size: x}\n- *x\n- !toy_any {a: *x}\n") == [
        "r.yaml:1:16: ToyConv.kernel_size: expected int, got str 'x'"
    ]


# Hostile texts ----------------------------------------------------------------------------------


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


# Nodes ------------------------------------------------------------------------------------------


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
