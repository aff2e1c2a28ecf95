"""Making choices: what leaves something to choose, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from automl_spaces.choices import Choice, floatv, has_choices, intv, manyof, oneof, permutate
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .programs import Conv, Pool, anything, static


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: oneof([]), "oneof has no candidates"),
        (lambda: oneof([1, 2, 1.0]), r"the candidates 0 and 2 are equal \(1.0\)"),
        (lambda: oneof([Conv(3), Conv()]), r"the candidates 0 and 1 are equal \(ToyConv\(\)\)"),
        (lambda: oneof([[1], (1,)]), "are equal"),
        (lambda: permutate(["a", "b", "a"]), "the candidates 0 and 2 are equal"),
        (lambda: manyof(0, "ab"), "k must be at least 1, not 0"),
        (lambda: manyof(3, "ab"), "cannot take 3 distinct ones of 2 candidates"),
        (lambda: floatv(1.0, 0.0), "floatv: min 1.0 is above max 0.0"),
        (lambda: floatv(0.0, 1.0, "log"), "a log scale needs min above 0, not 0.0"),
        (lambda: floatv(-1.0, 1.0, "reverse_log"), "a reverse_log scale needs min above 0"),
        (lambda: floatv(0.0, float("inf")), "min and max must be within"),
        (lambda: floatv(float("nan"), 1.0), "min and max must be within"),
        (lambda: floatv(0.0, 10**400), "min and max must be within"),
        (lambda: intv(0, 2**60), "min and max must be within"),
        (lambda: floatv(0.0, 1.0, "logs"), r"unknown scale logs \(did you mean log\?\)"),
        (lambda: floatv(0.0, 1.0, step=0.0), "step must be above 0, not 0.0"),
        (lambda: intv(1, 5, step=-1), "step must be above 0"),
        (lambda: intv(1, 5, step=None), "intv.step: expected int, got NoneType None"),  # type: ignore[arg-type]
        (lambda: intv(1, 2.5), "intv.max: expected int, got float 2.5"),  # type: ignore[arg-type]
        (lambda: floatv("a", 1.0), "floatv.min: expected float, got str 'a'"),  # type: ignore[arg-type]
        (lambda: oneof({"a": 1, "b": 1}), "are equal"),
    ],
)
def test_choices_that_leave_nothing_to_choose(make: Any, message: str) -> None:
    """Told when the choice is made."""
    with pytest.raises(UserError, match=message):
        make()


def test_several_mistakes_of_one_choice() -> None:
    """All at once."""
    with pytest.raises(UserError) as caught:
        floatv(5.0, 1.0, "lin", step=-1.0)
    assert len(caught.value.problems) == 3


def test_candidates_that_look_alike_are_different() -> None:
    """1 and "1", 1 and true, a mapping with a `$` and a node."""
    candidates = [1, "1", True, None, "null", [1], ["1"], {"$": 1}, Conv(3), Pool(3)]
    assert len(Space([oneof(candidates)]).points[0].labels) == len(candidates)


def test_candidates_that_are_no_data() -> None:
    """An object is a candidate like any other, and equals only itself."""
    ours, theirs = object(), object()
    choice = oneof([ours, theirs, 1j, b"x"])
    with pytest.raises(UserError, match="are equal"):
        oneof([ours, 1, ours])
    assert len(choice.candidates) == 4


def test_thousands_of_candidates() -> None:
    """Looking for equal ones takes no quadratic time."""
    assert len(oneof([Conv(i) for i in range(1, 3000)]).candidates) == 2999


def test_labels() -> None:
    """A mapping's keys; else as short as possible; else with what differs."""

    def labels(candidates: Any) -> tuple[str, ...]:
        return Space([oneof(candidates)]).points[0].labels

    assert labels({"small": 1, 2: 5}) == ("small", "2")
    assert labels([Conv(3), Pool()]) == ("ToyConv", "ToyPool")
    assert labels([Conv(3), Conv(5)]) == ("ToyConv(kernel_size=3)", "ToyConv(kernel_size=5)")
    assert labels([0.5, 1.0, 2]) == ("0.5", "1", "2")
    assert labels([1, "1"]) != ("1", "1")
    assert all(len(label) < 60 for label in labels(["x" * 100, "x" * 99 + "y"]))


def test_a_label_does_not_depend_on_the_position() -> None:
    """So that a record keeps its meaning when candidates are added or reordered."""
    few = Space([oneof([Conv(3), Conv(5)])]).points[0].labels
    more = Space([oneof([Pool(), Conv(5), Conv(3)])]).points[0].labels
    assert set(few) < set(more) | {"ToyPool"}


def test_a_choice_is_a_node() -> None:
    """It is edited, compared and shown like any other."""
    choice = floatv(0.0, 1.0, name="lr")
    assert isinstance(choice, Choice)
    assert choice.clone().rebind(max=2.0) != choice
    assert repr(oneof([1, 2])) == "oneof(candidates=[1, 2])"
    assert choice.name == "lr"


def test_a_choice_has_no_attributes_of_a_built_object() -> None:
    """It is not built to find out, so that hasattr() may ask."""
    assert not hasattr(oneof([1, 2]), "shape")
    assert not hasattr(oneof([1, 2]), "default")
    assert oneof([1, 2], default=None).default is None


def test_oneof_works_where_nothing_is_type_checked() -> None:
    """Without hints every argument takes a choice."""

    def untyped(a, b=1):  # type: ignore[no-untyped-def]
        """A callable without hints."""
        return a, b

    space = Space(symbolize(untyped)(oneof([1, 2]), b=oneof(["x", None])))
    assert space.size == 4


def test_choices_fit_the_hints_of_what_they_become() -> None:
    """A range of whole numbers fits a Literal that has its first."""
    from typing import Literal

    def sized(size: Literal[2, 4], ratio: float = 1.0) -> None:
        """Takes one of two numbers."""

    node = symbolize(sized)
    assert node(intv(2, 4, step=2), ratio=intv(1, 2)).size.step == 2
    with pytest.raises(UserError, match="expected one of 2, 4, got a number from floatv"):
        node(floatv(2.5, 3.0))


def test_has_choices() -> None:
    """Anywhere below."""
    assert has_choices(anything(a=[{"b": (oneof([1, 2]),)}]))
    assert not has_choices(static())
