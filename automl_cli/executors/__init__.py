"""Executors: where trials run. One module each, found by its name.

`create("pool", setting, slots=2)` imports `executors/pool.py` and makes its `PoolExecutor`; a new
executor is one new module with one class of that form.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from automl_cli.trials import Report, TrialRequest, TrialResult
from automl_cli.worker import Setting
from automl_spaces.errors import UserError, did_you_mean


class Executor(ABC):
    """Runs trials. The driver is its only user, from one thread.

    Attributes:
        slots: how many trials run at the same time.
    """

    slots: int = 1

    @property
    def capacity(self) -> int:
        """How many trials should be submitted and not yet over, to keep every slot busy."""
        return self.slots

    def warm(self) -> None:  # noqa: B027 - nothing to do is a fine answer
        """Start up now, and return when trials can run at once; `submit` does it otherwise."""

    @abstractmethod
    def submit(self, request: TrialRequest) -> None:
        """Hand over an attempt."""

    @abstractmethod
    def completed(self, timeout: float | None) -> list[TrialResult | Report]:
        """What happened, in order; a trial's reports come before its result.

        Waits until there is something: at most `timeout` seconds, or without end for None.
        Empty when the time is up, or when nothing runs that could be waited for.
        """

    @abstractmethod
    def close(self, kill: bool = False) -> None:
        """Release everything. Closing twice is fine.

        Args:
            kill: end running trials, which then have no result. Otherwise they are waited for,
                and a last `completed(0)` returns their results.
        """


def check(
    name: str,
    above_zero: Mapping[str, float | None],
    at_least: Mapping[str, tuple[float | None, float]],
) -> None:
    """Refuse options of an executor that cannot be; None is always fine.

    Args:
        above_zero: values that must be positive.
        at_least: values, and the least that they may be.

    Raises:
        UserError: names executor, option and value.
    """
    for option, value in above_zero.items():
        if value is not None and value <= 0:
            raise UserError(f"executor {name}: {option} must be above 0, got {value}")
    for option, (value, least) in at_least.items():
        if value is not None and value < least:
            raise UserError(f"executor {name}: {option} must be at least {least}, got {value}")


def names() -> list[str]:
    """The executors there are."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


def create(name: str, setting: Setting, **options: Any) -> Executor:
    """Make an executor.

    Args:
        name: one of `names()`.
        setting: what all trials of the study share.
        options: the executor's own.

    Raises:
        UserError: for an unknown name or option, or for a value that the executor refuses.
    """
    if name not in names():
        hint = did_you_mean(name, names()) or f"there are: {', '.join(names())}"
        raise UserError(f"there is no executor {name}", hint=hint)
    module = importlib.import_module(f"{__name__}.{name}")
    executor: type[Executor] = getattr(module, f"{name.capitalize()}Executor")
    known = [*inspect.signature(executor).parameters][1:]
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known) or f"it has: {', '.join(known)}"
            raise UserError(f"executor {name} has no option {option}", hint=hint)
    return executor(setting, **options)  # type: ignore[call-arg]
