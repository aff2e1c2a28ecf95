"""Which decisions matter."""

from __future__ import annotations

import random
from typing import Any

import pytest

from automl_cli.importances import MIN_TRIALS, importances
from automl_spaces.objective import Objective


def _trials(count: int) -> tuple[list[dict[str, Any]], list[float]]:
    rng = random.Random(0)
    decisions = [
        {"lr": 10 ** rng.uniform(-5, -1), "op": rng.choice("ab"), "noise": rng.random(), "one": 1}
        for _ in range(count)
    ]
    return decisions, [d["lr"] * 10 + 0.01 * (d["op"] == "a") for d in decisions]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_what_matters_comes_first(direction: Any) -> None:
    """The decision that the metric depends on is first; the shares sum to 1."""
    found = importances(*_trials(200), Objective("m", direction))
    assert next(iter(found)) == "lr"
    assert set(found) == {"lr", "op", "noise"}
    assert sum(found.values()) == pytest.approx(1.0)


def test_decisions_that_are_not_always_made_are_left_out() -> None:
    """A conditional decision has no distribution over all trials."""
    decisions, values = _trials(60)
    for record in decisions[::2]:
        record.pop("noise")
    assert set(importances(decisions, values, Objective("m"))) == {"lr", "op"}


def test_candidates_of_mixed_kinds() -> None:
    """Numbers and labels in one choice are all labels."""
    decisions = [{"a": (1, "x", True)[i % 3], "b": i % 5} for i in range(60)]
    found = importances(decisions, [float(i % 3) for i in range(60)], Objective("m"))
    assert next(iter(found)) == "a"


@pytest.mark.parametrize("count", [0, 1, MIN_TRIALS - 1])
def test_too_few_trials(count: int) -> None:
    """Nothing is said from nothing."""
    assert importances(*_trials(count), Objective("m")) == {}


def test_nothing_varies() -> None:
    """Equal values, or one decision only, have no importances."""
    decisions, values = _trials(30)
    assert importances(decisions, [1.0] * 30, Objective("m")) == {}
    assert importances([{"lr": d["lr"]} for d in decisions], values, Objective("m")) == {}


def test_more_trials_than_are_looked_at() -> None:
    """A long search is thinned evenly."""
    found = importances(*_trials(4500), Objective("m"))
    assert next(iter(found)) == "lr"
