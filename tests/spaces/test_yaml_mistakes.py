"""Mistakes in YAML, each with its file, line and column."""

from __future__ import annotations

from typing import Any

import pytest

from automl_spaces.errors import UserError
from automl_spaces.yaml_values import from_yaml


def faults(text: str, **options: Any) -> list[str]:
    """Every mistake of a text, as it is shown."""
    with pytest.raises(UserError) as caught:
        from_yaml(text, file="r.yaml", **options)
    return [str(problem) for problem in caught.value.problems]


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
