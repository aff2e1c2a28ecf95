"""Which budgets an algorithm of several fidelities grants, in the program's own steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_algorithms.multi_trial import _brackets
from automl_spaces.choices import Choice
from automl_spaces.errors import UserError
from automl_spaces.symbols import Symbol

if TYPE_CHECKING:
    from automl_algorithms.contract import Observation
    from automl_spaces.space import Space


def check(max_budget: float | None, min_budget: float | None = None, eta: float = 3) -> None:
    """Raise `UserError` for options that cannot be meant so, whatever the program."""
    for name, value in (("max_budget", max_budget), ("min_budget", min_budget)):
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"{name} must be above 0, got {value:g}")
    if max_budget is not None and min_budget is not None and min_budget > max_budget:
        raise UserError(f"min_budget {min_budget:g} is above max_budget {max_budget:g}")
    if not 2 <= eta < float("inf"):
        raise UserError(f"eta must be at least 2, got {eta:g}")


def full_budget(space: Space, max_budget: float | None) -> float:
    """`max_budget`, or the `epochs` that the program trains for on its own.

    Raises:
        UserError: the program has no `epochs`, or they are searched themselves.
    """
    if max_budget is not None:
        return float(max_budget)
    epochs = _argument(space.template, "epochs")
    hint = "max_budget: 27, in the steps that the program reports"
    if isinstance(epochs, Choice):
        raise UserError("epochs is searched, so it does not tell the full budget", hint=hint)
    number = isinstance(epochs, int | float) and not isinstance(epochs, bool)
    if not number or not 0 < epochs < float("inf"):
        raise UserError(
            "the program has no argument epochs that would tell its full budget", hint=hint
        )
    return float(epochs)


def _argument(template: Any, name: str) -> Any:
    """An argument of the program, its default when it is not given; else nothing useful."""
    if isinstance(template, Symbol):
        return template.get(name)
    return template.get(name) if isinstance(template, dict) else None


def ladder(
    space: Space, max_budget: float | None, min_budget: float | None, eta: float
) -> list[float]:
    """The budgets of all rungs, the smallest first; the last one is the full budget.

    They are whole when both ends are. Without a `min_budget` the first is at least one step; where
    1/eta of the full budget is less than that, the least budget itself is the only rung below.

    Raises:
        UserError: there is no full budget, or it is the least one.
    """
    full, least = full_budget(space, max_budget), 1.0 if min_budget is None else min_budget
    if least > full:
        raise UserError(f"min_budget {least:g} is above the full budget, which is {full:g}")
    whole = full.is_integer() and float(least).is_integer()
    if least == full:
        raise UserError(
            f"nothing can be stopped early: the full budget, {full:g}, is the least one too",
            hint="a smaller min_budget, longer trainings, or algorithm: random",
        )
    found = _brackets.budgets(full, least, eta, whole=whole)
    return found if len(found) > 1 else [least, full]


def reached(observation: Observation) -> bool:
    """Whether a trial was trained up to its budget, and so can be compared and gone on from."""
    return observation.state == "completed" and bool(observation.rewards)
