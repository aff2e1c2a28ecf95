"""What a callable may be given: from its text, from the object, and by its type hints."""

from __future__ import annotations

import dataclasses
import textwrap
import time
from typing import Any

import pytest

from automl_spaces.annotations import read_hint
from automl_spaces.signatures import OPAQUE, REQUIRED, from_callable, from_source

SOURCE = '''
from dataclasses import dataclass, field
from typing import overload


def plain(a, b: int = 2, *rest, c: str = "x:#", d, **more) -> None:
    """A docstring: with a colon."""


def positional(a, b=1, /, c=2): ...


def one_line(x: float = 1e-3): return x


async def later(a): ...


def many(
    first: int,
    second: "list[int]" = [1, 2],  # a comment: with a colon
    third: dict[str, int] = {"a": 1},
    fourth=compute(),
) -> dict[str, int]:
    pass


@overload
def twice(a: int) -> int: ...
def twice(a, b=None):
    return a


class Plain:
    """A class.

    Its docstring has several lines.
    """

    class Config:
        def __init__(self, inner): ...

    limit = 3

    def __init__(self, width: int, *, bias: bool = True) -> None:
        self.width = width


class Inherits(Plain):
    pass


@dataclass
class Record:
    """Fields are parameters."""

    a: int
    b: float = 0.5
    c: list[int] = field(default_factory=list)
    d: int = field(init=False)


class AfterRecord:
    x: int = 1


@dataclass(frozen=True)
class Frozen:
    a: int = 1
'''


def parameters(name: str) -> dict[str, Any] | None:
    """Names and defaults as read from the text."""
    found = from_source(SOURCE, name)
    return None if found is None else {p.name: p.default for p in found.params.values()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", {"a": REQUIRED, "b": 2, "c": "x:#", "d": REQUIRED}),
        ("positional", {"a": REQUIRED, "b": 1, "c": 2}),
        ("one_line", {"x": 0.001}),
        ("later", None),
        ("many", {"first": REQUIRED, "second": [1, 2], "third": {"a": 1}, "fourth": OPAQUE}),
        ("twice", {"a": REQUIRED, "b": None}),
        ("Plain", {"width": REQUIRED, "bias": True}),
        ("Inherits", None),
        ("Record", {"a": REQUIRED, "b": 0.5, "c": OPAQUE}),
        ("AfterRecord", None),
        ("Frozen", {"a": 1}),
        ("missing", None),
        ("Plain.Config", None),
    ],
)
def test_from_source(name: str, expected: Any) -> None:
    """What the text tells; None where only the object can."""
    assert parameters(name) == expected


@pytest.mark.parametrize(
    "name", ["plain", "positional", "one_line", "twice", "Plain", "Record", "Frozen"]
)
def test_text_and_object_agree(name: str) -> None:
    """Names, kinds, and the defaults that both know."""
    space: dict[str, Any] = {"compute": list, "__name__": "toy_signatures"}
    exec(compile(SOURCE, "toy", "exec", dont_inherit=True), space)
    text, real = from_source(SOURCE, name), from_callable(space[name])
    assert text is not None
    assert list(text.params) == list(real.params)
    assert (text.var_positional, text.var_keyword) == (real.var_positional, real.var_keyword)
    for a, b in zip(text.params.values(), real.params.values(), strict=True):
        assert (a.positional, a.by_name) == (b.positional, b.by_name)
        assert a.default == b.default or OPAQUE in (a.default, b.default)


def test_reading_is_quick() -> None:
    """A long module takes a few milliseconds, so that `show` needs no imports."""
    text = (
        SOURCE
        + textwrap.dedent(
            """
        def filler_{0}(a, b=1):
            return a
        """
        ).format("{0}")
        * 2000
    )
    before = time.perf_counter()
    assert from_source(text, "Plain") is not None
    assert time.perf_counter() - before < 0.1


def test_callables_that_do_not_tell() -> None:
    """Anything is taken: by name and by position."""
    found = from_callable(max)
    assert found.var_keyword
    assert found.var_positional


def test_arrange() -> None:
    """What goes by position, in order, with defaults in the gaps."""
    found = from_source("def f(a, b=2, /, c=3, *rest, d=4): ...", "f")
    assert found is not None
    args = {"a": 1, "d": 5}
    assert found.arrange(args) == [1]
    assert args == {"d": 5}
    assert found.arrange({"a": 1, "rest": [8, 9]}) == [1, 2, 3, 8, 9]
    assert found.arrange({"a": 1, "c": 0}) == [1]


def test_a_dataclass_object() -> None:
    """Read from the object where there is no text."""

    @dataclasses.dataclass
    class Local:
        """Defined in a function."""

        a: int
        b: Any = None

    assert list(from_callable(Local).params) == ["a", "b"]


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        ("int", [1, -5], [1.0, True, "1", None]),
        ("float", [1.0, 1], [True, "1", None]),
        ("bool", [True], [1, None]),
        ("str", ["a"], [1, None]),
        ("None", [None], [0]),
        ("int | None", [1, None], ["x", 1.5]),
        ("Optional[int]", [1, None], ["x"]),
        ("Union[int, str]", [1, "x"], [None, 1.5]),
        ("list", [[1], (1,), {1}, range(3)], [1, "abc", {"a": 1}, None]),
        ("list[int]", [[1, 2], []], [["x"], 5]),
        ("tuple[int, str]", [(1, "a"), [1, "a"]], [(1,), ("a", 1)]),
        ("tuple[int, ...]", [(), (1, 2, 3)], [("a",)]),
        ("Sequence[float]", [[1, 2.5]], ["abc", [None]]),
        ("dict[str, int]", [{"a": 1}], [[1]]),
        ("Literal['a', 'b']", ["a"], ["c", 1]),
        ("Annotated[int, 'x']", [1], ["x"]),
        ("'int'", [1], ["x"]),
        ("list[list[int]]", [[[1]]], [[["a"]], [1]]),
    ],
)
def test_simple_hints(hint: str, good: list[Any], bad: list[Any]) -> None:
    """They take what they name, and no more."""
    found = read_hint(hint)
    assert found is not None
    assert [value for value in good if not found.fits(value)] == []
    assert [value for value in bad if found.fits(value)] == []


@pytest.mark.parametrize(
    "hint", ["", "Any", "torch.Tensor", "Callable[[int], int]", "int | Tensor", "not a hint", "T"]
)
def test_hints_that_are_not_simple_take_everything(hint: str) -> None:
    """The check exists to help."""
    assert read_hint(hint) is None


def test_a_default_may_go_over_lines() -> None:
    """Whatever its indentation: the text of a method is read as it stands."""
    text = (
        'class A:\n    def __init__(self, text: str = """one\ntwo""", n: int = 3):\n        pass\n'
    )
    signature = from_source(text, "A")
    assert signature is not None
    assert signature.params["text"].default == "one\ntwo"
    assert signature.params["n"].default == 3
