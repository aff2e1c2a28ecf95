"""The contract between a program and whoever runs it.

A program is a function that returns its metrics, or a class whose instances are called and then
return them. Either takes the `Trial` if it asks for it, and needs nothing of it otherwise:

    def train(lr: float) -> float: ...
    def train(lr: float, trial: Trial) -> dict[str, float]: ...
    class Classifier:
        def __call__(self, trial: Trial) -> dict[str, float]: ...
"""

from __future__ import annotations

import functools
import inspect
import operator
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol

Sink = Callable[[int, dict[str, float]], None]
"""Who hears of a report: called with the step and the metrics; may raise `Pruned`."""

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Pruned(Exception):  # noqa: N818 - not an error: the trial ended early and on purpose
    """Ends a trial early; what it reported last is what it is worth."""


class Trial:
    """What a program may know about its run. Usable as is, for calling a program by hand.

    Args:
        id: number of the trial in its study, from 0; the first is the static program if it can.
        seed: seed for every random decision of the program.
        budget: fidelity granted, in the program's own steps (epochs, mostly), counted from the
            start of the training; None means full.
        folder: where the trial may leave files; made when it is first used. None means a
            temporary folder that goes away with this object.
        params: the decisions by readable name.
        sink: who hears of reports; None means nobody.

    Attributes:
        asked: whether the program has looked at its budget.
        reports: how many reports were made.
        spent: whether a report was stopped because the budget is used up.
    """

    __slots__ = ("__weakref__", "_budget", "_folder", "_sink", "asked", "id", "params", "reports",
                 "seed", "spent")  # fmt: skip

    def __init__(
        self,
        id: int = 0,
        *,
        seed: int = 0,
        budget: float | None = None,
        folder: Path | None = None,
        params: Mapping[str, Any] = _NOTHING,
        sink: Sink | None = None,
    ) -> None:
        self.id, self.seed, self.params = id, seed, params
        self._budget, self._folder, self._sink = budget, folder, sink
        self.asked = self.spent = False
        self.reports = 0

    @property
    def budget(self) -> float | None:
        """The fidelity granted. A program that asks for it is trusted to return in time."""
        self.asked = True
        return self._budget

    @property
    def checkpoint(self) -> Path:
        """Folder that outlives the process: it is there again when the trial is run again."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="automl-trial-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / "checkpoint"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def report(self, step: int, **metrics: float) -> None:
        """Tell intermediate metrics: accuracy after an epoch, loss after a step.

        NaN and infinities are passed on: a curve that diverges is worth seeing.

        A program that never asked for its budget is stopped by the report that reaches it, one
        that did only by a report beyond it, which then does not count. It may go on from its
        checkpoint when it is granted more.

        Raises:
            Pruned: when the trial shall end here. Let it pass.
            TypeError: when the step is no integer or a metric is no number.
        """
        step = operator.index(step)
        numbers = {name: number(value, name) for name, value in metrics.items()}
        over = self._budget is not None and step > self._budget
        if not (over and self.asked):
            self.reports += 1
            if self._sink is not None:
                self._sink(step, numbers)
        if over or (step == self._budget and not self.asked):
            self.spent = True
            raise Pruned(f"its budget of {self._budget:g} is used up")

    def __repr__(self) -> str:
        return f"Trial({self.id}, seed={self.seed}, budget={self._budget})"


def number(value: Any, name: str = "the value") -> float:
    """A Python, NumPy or torch scalar as a float; NaN and infinities are floats too.

    Raises:
        TypeError: for anything else. Booleans and texts are refused although `float` takes them:
            `accuracy == best` and `"0.9"` are slips.
    """
    if type(value) is float:
        return value
    kind = type(value).__name__
    boolean = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    if boolean or not hasattr(value, "__float__"):
        raise TypeError(f"{name} is a {kind}, expected a number")
    try:
        return float(value.item() if getattr(value, "ndim", 0) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"{name} is a {kind} that is not one number") from None


def run_program(program: Symbol, trial: Trial) -> Any:
    """Build the program, run it, and hand back what it returned.

    A function runs when its symbol is built; one with a parameter named `trial` is given the
    trial then. A class is built first, and its instance is called. What a function returns is
    called too if it can be: `make_trainer(lr)` may return a trainer.

    Raises:
        TypeError: when the built object cannot be called.
    """
    target = program.type.target
    if isinstance(target, type):
        built = program.build()
        if not callable(built):
            raise TypeError(f"{program.type.name} has no __call__, so there is nothing to run")
    else:
        built = program.build(trial=trial) if _parameter_for_trial(target) else program.build()
        if not callable(built):
            return built
    routine = inspect.isroutine(built) or isinstance(built, functools.partial)
    asks = _takes_trial(built, 0) if routine else _takes_trial(type(built).__call__, 1)
    if asks == "keyword":
        return built(trial=trial)
    return built(trial) if asks == "position" else built()


@functools.lru_cache(maxsize=256)
def _parameter_for_trial(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter named `trial`."""
    try:
        return "trial" in inspect.signature(function).parameters
    except ValueError:  # written in C, without a signature
        return False


@functools.lru_cache(maxsize=256)
def _takes_trial(call: Callable[..., Any], bound: int) -> Literal["keyword", "position", "no"]:
    """How `call` wants the trial; its first `bound` parameters are not the caller's.

    Cached, because reading a signature takes longer than a short trial.
    """
    try:
        parameters = list(inspect.signature(call).parameters.values())[bound:]
    except ValueError:
        return "no"
    if any(p.name == "trial" and p.kind in _BY_NAME for p in parameters):
        return "keyword"
    if not parameters:
        return "no"
    # A first parameter with a default is an option of the program's own, such as `verbose=False`.
    first = parameters[0]
    wanted = first.kind is first.VAR_POSITIONAL or (
        first.kind in _BY_POSITION and first.default is first.empty
    )
    return "position" if wanted else "no"
