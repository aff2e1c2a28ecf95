"""Where the full budget comes from, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial._fidelity import check, full_budget, ladder, reached
from automl_spaces.choices import intv, oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.algorithms.spaces import space_of


def train(width: int, epochs: int = 12) -> None:
    """A program with a default."""


def train_forever(width: int) -> None:
    """A program that knows no epochs."""


def _space(program: Any, **args: Any) -> Space:
    return Space.compile(symbolize(program)(width=oneof([1, 2]), **args))


def test_the_programs_own_epochs() -> None:
    """As given, or as they are by default; also in a program that is a mapping."""
    assert full_budget(_space(train, epochs=30), None) == 30
    assert full_budget(_space(train), None) == 12
    assert full_budget(Space.compile({"epochs": 9, "width": oneof([1, 2])}), None) == 9
    assert full_budget(_space(train), 5) == 5


def test_without_epochs_the_budget_must_be_given() -> None:
    """The message asks for it; so it does when the epochs are no number."""
    for space in (
        _space(train_forever),
        space_of("cells"),
        Space.compile({"epochs": True}),
        Space.compile(oneof([1, 2])),
    ):
        with pytest.raises(UserError, match=r"no argument epochs.*max_budget: 27"):
            full_budget(space, None)
        assert full_budget(space, 3) == 3


def test_searched_epochs_tell_no_budget() -> None:
    """What is chosen trial by trial is no full budget."""
    with pytest.raises(UserError, match=r"epochs is searched.*max_budget"):
        full_budget(_space(train, epochs=intv(1, 9)), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_budget": 0}, "max_budget must be above 0, got 0"),
        ({"max_budget": None, "min_budget": -1}, "min_budget must be above 0, got -1"),
        ({"max_budget": float("nan")}, "max_budget must be above 0, got nan"),
        ({"max_budget": 3, "min_budget": 4}, "min_budget 4 is above max_budget 3"),
        ({"max_budget": 9, "eta": 1.5}, "eta must be at least 2, got 1.5"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], message: str) -> None:
    """Whatever the program is."""
    with pytest.raises(UserError, match=message):
        check(**options)


def test_ladder() -> None:
    """Whole between whole ends, at least one step without a least budget."""
    space = _space(train, epochs=30)
    assert ladder(space, None, None, 3) == [1, 3, 10, 30]
    assert ladder(space, None, 2, 3) == [3, 10, 30]
    assert ladder(space, 1, 0.1, 3) == pytest.approx([1 / 9, 1 / 3, 1])
    assert ladder(space, 10.5, None, 3) == pytest.approx([10.5 / 9, 3.5, 10.5])


def test_a_short_ladder_begins_at_the_least_budget() -> None:
    """Though that is more than 1/eta of the full one."""
    space = _space(train)
    assert ladder(space, 2, None, 3) == [1, 2]
    assert ladder(space, 12, 5, 3) == [5, 12]
    assert ladder(space, 0.3, 0.2, 4) == [0.2, 0.3]


@pytest.mark.parametrize("bounds", [(1, None), (12, 12)])
def test_a_ladder_of_one_rung_is_refused(bounds: tuple[float, float | None]) -> None:
    """Nothing would be stopped early: it would be random search in disguise."""
    with pytest.raises(UserError, match="nothing can be stopped early"):
        ladder(_space(train), *bounds, 3)


def test_a_least_budget_above_the_programs_epochs() -> None:
    """Known only when the program is."""
    with pytest.raises(UserError, match="min_budget 20 is above the full budget, which is 12"):
        ladder(_space(train), None, 20, 3)


def test_reached() -> None:
    """Only a completed trial with a reward stands on its rung."""
    plan = Plan(next(space_of("finite").enumerate()), 3.0)
    assert reached(Observation(0, plan, "completed", (0.0,)))
    assert not reached(Observation(0, plan, "pruned", (1.0,)))
    assert not reached(Observation(0, plan, "failed"))
    assert not reached(Observation(0, plan, "completed"))
