"""What goes to an executor and what comes back, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from automl_spaces.trial import number

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol

State = Literal["completed", "failed", "pruned", "lost"]
"""`failed` is the trial's own fault: it raised, returned no numbers, took too much time or
memory. `lost` is not known to be: its worker died or vanished, and the runner may try again."""


class TrialRequest(NamedTuple):
    """One attempt at one trial. `folder` need not exist: it is made when it is first used.

    `parent` is the folder of the trial whose checkpoint this one goes on from.
    """

    trial_id: int
    attempt: int
    program: Symbol
    decisions: Mapping[str, Any]
    seed: int
    budget: float | None
    folder: Path
    parent: Path | None = None


class TrialResult(NamedTuple):
    """How an attempt ended. `reason` is empty or starts with one line that says why it failed;
    `seconds` is wall-clock time spent in the program. `mistake`: it is one of the recipe, which
    every other trial would repeat."""

    trial_id: int
    attempt: int
    state: State
    metrics: dict[str, float]
    reason: str
    seconds: float
    mistake: bool = False


class Report(NamedTuple):
    """Metrics that a running trial told; it comes before the result of the same attempt."""

    trial_id: int
    attempt: int
    step: int
    metrics: dict[str, float]


class BadResult(Exception):  # noqa: N818 - the reason of a failed trial, never shown as an error
    """What a program returned is not usable; the message is one line for the user."""


def normalise(returned: Any, required: Sequence[str]) -> dict[str, float]:
    """Finite metrics from what a program returned.

    Args:
        returned: one number, which is then the metric that is searched for, or a mapping of
            metric names to numbers.
        required: the metrics that the search needs.

    Raises:
        BadResult: for anything else, NaN and infinities included.
    """
    if isinstance(returned, Mapping):
        metrics = {_name(key): _finite(key, value) for key, value in returned.items()}
    elif len(required) == 1 and hasattr(returned, "__float__"):
        metrics = {required[0]: _finite(required[0], returned)}
    else:
        what = "None" if returned is None else f"a {type(returned).__name__}"
        number_or = "a number or " if len(required) == 1 else ""
        raise BadResult(f"returned {what}, expected {number_or}a dict with {', '.join(required)}")
    missing = [name for name in required if name not in metrics]
    if missing:
        got = ", ".join(metrics) or "an empty dict"
        raise BadResult(f"did not return {', '.join(missing)}; it returned {got}")
    return metrics


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise BadResult(f"returned the metric name {key!r}, expected text")
    return key


def _finite(name: Any, value: Any) -> float:
    try:
        result = number(value, str(name))
    except TypeError as error:
        raise BadResult(f"returned a wrong metric: {error}") from None
    if not math.isfinite(result):
        raise BadResult(f"{name} is {result}")
    return result
