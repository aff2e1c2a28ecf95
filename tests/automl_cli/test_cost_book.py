"""Costs of proposals: once each, and what constraints do with them."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cli import costs
from automl_cli.cost_book import CostBook
from automl_spaces.errors import AutomlError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A cost named `length`, and the programs it was asked about."""
    asked: list[Any] = []

    def length(program: Any) -> float:
        asked.append(program)
        return float(len(program))

    monkeypatch.setattr(costs, "load", lambda name: {"length": length}[name])
    return asked


def test_a_program_is_costed_once(calls: list[Any]) -> None:
    """Accepting a proposal and recording it share one computation."""
    book = CostBook(["length"], {"length": (0, 10)})
    program = [1, 2, 3]
    assert book.refusal(None, program) is None
    assert book.of(program) == {"length": 3.0}
    assert len(calls) == 1


def test_another_program_is_costed_anew(calls: list[Any]) -> None:
    """Equal is not the same: only the very object is remembered."""
    book = CostBook(["length"])
    first, second = [1], [1]
    assert book.of(first) == book.of(second)
    assert len(calls) == 2


@pytest.mark.parametrize(("size", "refused"), [(1, True), (2, False), (4, False), (5, True)])
def test_bounds_are_inclusive(calls: list[Any], size: int, refused: bool) -> None:
    """A value on a bound is inside; the refusal names cost, value and bounds."""
    reason = CostBook(["length"], {"length": (2, 4)}).refusal(None, [0] * size)
    assert (reason is not None) == refused
    if reason is not None:
        assert reason == f"length {size} is not in [2, 4]"


def test_a_failing_cost_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message blames the cost, and not the algorithm that proposed."""

    def broken(_: Any) -> float:
        raise ZeroDivisionError("no layers")

    monkeypatch.setattr(costs, "load", lambda _: broken)
    with pytest.raises(AutomlError, match="the cost broken failed: ZeroDivisionError: no layers"):
        CostBook(["broken"]).of([])


def test_what_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An infeasible program is turned down with its reason, also without constraints."""

    def impossible(_: Any) -> float:
        raise costs.Infeasible("it does not fit")

    monkeypatch.setattr(costs, "load", lambda _: impossible)
    book = CostBook(["impossible"])
    assert book.refusal(None, []) == "it does not fit"
    with pytest.raises(costs.Infeasible):
        book.of([])
