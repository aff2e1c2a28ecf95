"""The exact size of a space."""

from __future__ import annotations

import math
from typing import Any

import pytest

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.space import Space

AB = {"a": oneof([1, 2])}
SOME = [AB, {"b": intv(1, 3)}, 5, 7]


@pytest.mark.parametrize(
    ("template", "size"),
    [
        ([], 1),
        ([oneof([1, 2, 3]), intv(1, 9, step=2)], 15),
        ([oneof([AB, 5])], 3),
        ([manyof(3, range(5))], 60),
        ([manyof(3, range(5), sorted=True)], 10),
        ([manyof(3, range(5), distinct=False)], 125),
        ([manyof(3, range(5), distinct=False, sorted=True)], 35),
        ([permutate(range(5))], 120),
        ([manyof(2, SOME)], 34),
        ([manyof(3, SOME, sorted=True, distinct=False)], 122),
        ([manyof(3, SOME, distinct=False)], 343),
        ([permutate(SOME)], 144),
        ([oneof([1, 2], name="s"), oneof([{"k": oneof([1, 2], name="s")}, 3])], 4),
        ([floatv(0.0, 1.0, step=0.25)], 5),
        ([floatv(2.0, 2.0)], 1),
        ([floatv(0.0, 1.0)], math.inf),
        ([manyof(2, [{"a": floatv(0.0, 1.0)}, 2, 3])], math.inf),
        ([oneof([{"a": floatv(0.0, 1.0)}, 2])], math.inf),
    ],
)
def test_known_sizes(template: Any, size: float) -> None:
    """By hand, or by the textbook's formula."""
    space = Space(template)
    assert space.size == size
    if math.isfinite(size):
        assert len(list(space.enumerate())) == size


def tied() -> Any:
    """One of two, a decision that several places share."""
    return oneof([1, 2], name="tied")


@pytest.mark.parametrize(
    "template",
    [
        [oneof([{"k": tied()}, 3]), oneof([{"k": tied()}, 3, 4])],
        [manyof(2, [{"k": tied()}, 3, 4]), oneof([{"k": tied()}, 3])],
        [permutate([{"k": tied()}, AB, 4]), oneof([{"k": tied()}, 3])],
        [manyof(3, [{"k": tied()}, AB, 4], distinct=False, sorted=True)],
        [oneof([{"k": oneof([{"deep": tied()}, 7, 8])}, 3]), oneof([{"k": tied()}, 3])],
        [manyof(2, ["x", {"deep": manyof(2, [{"k": tied()}, 1, 2])}]), oneof([tied(), 9])],
    ],
)
def test_shared_conditional_decisions(template: Any) -> None:
    """What hangs on several candidates is counted once where any of them is chosen."""
    space = Space(template)
    assert len(list(space.enumerate())) == space.size


def test_many_shared_decisions_are_counted() -> None:
    """Twenty pairs of choices that share a decision each: 3 * 2 + 3 * 2 ... to the twentieth."""

    def pair(i: int) -> Any:
        return [oneof([{"k": oneof([1, 2], name=f"s{i}")}, 3]) for _ in range(2)]

    assert Space([pair(0)]).size == 7
    assert Space([pair(i) for i in range(20)]).size == 7**20


def test_one_decision_shared_by_many_is_counted() -> None:
    """Two to the thirtieth cases, of which one leaves the shared decision out."""
    template = [oneof([{"k": tied()}, 3]) for _ in range(30)]
    assert Space(template).size == 2 * (2**30 - 1) + 1


def test_large_sizes_are_exact() -> None:
    """Python's integers, not floats."""
    assert Space([oneof([1, 2, 3]) for _ in range(200)]).size == 3**200
    assert Space([permutate(range(30))]).size == math.factorial(30)
