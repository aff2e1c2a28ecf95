"""YAML: what is read and what is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import Mark, UserError
from automl_spaces.traversal import same
from automl_spaces.yaml_values import from_yaml
from automl_spaces.yaml_writer import dump

from .programs import SGD, Conv, Net, Pool, anything, positions, static, train
from .strategies import LAW, templates, texts, trees


def faults(text: str, **options: Any) -> list[str]:
    """Every mistake of a text, as it is shown."""
    with pytest.raises(UserError) as caught:
        from_yaml(text, file="r.yaml", **options)
    return [str(problem) for problem in caught.value.problems]


# Round trips -------------------------------------------------------------------------------------


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


# Scalars and tags --------------------------------------------------------------------------------


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
