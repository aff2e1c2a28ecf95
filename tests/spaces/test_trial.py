"""The contract between programs and runners."""

from __future__ import annotations

import functools
import gc
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_spaces.registry import symbolize
from automl_spaces.trial import Pruned, Trial, number, run_program


def plain(lr: float = 0.5) -> float:
    """Want nothing."""
    return lr


HERE = Trial()


def curious(lr: float = 0.5, *, trial: Trial = HERE) -> tuple[float, int]:
    """Want the trial."""
    return lr, trial.id


def factory(lr: float = 0.5) -> Any:
    """Return something to call."""
    return lambda trial: (lr, trial.id)


def partial_factory(lr: float = 0.5) -> Any:
    """Return a partial, whose type tells nothing about its parameters."""
    return functools.partial(plain, lr=lr)


class Base:
    """Holds an argument."""

    def __init__(self, lr: float = 0.5) -> None:
        self.lr = lr


class Plain(Base):
    """Called with nothing."""

    def __call__(self) -> float:
        """Return what was heard."""
        return self.lr


class Optional(Base):
    """Its first parameter is an option, not a trial."""

    def __call__(self, verbose: bool = False) -> Any:
        """Return what was heard."""
        return self.lr if verbose is False else verbose


class ByPosition(Base):
    """Called with the trial under another name."""

    def __call__(self, run: Trial) -> Any:
        """Return what was heard."""
        return self.lr, run.id


class ByName(Base):
    """Called with the trial by name only."""

    def __call__(self, extra: int = 1, *, trial: Trial | None = None) -> Any:
        """Return what was heard."""
        return self.lr, trial.id if trial else None


class Anything(Base):
    """Called with whatever there is."""

    def __call__(self, *args: Any) -> Any:
        """Return what was heard."""
        return self.lr, args[0].id


class NotCallable:
    """Nothing to run."""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (plain, 0.1),
        (curious, (0.1, 7)),
        (factory, (0.1, 7)),
        (partial_factory, 0.1),
        (Plain, 0.1),
        (Optional, 0.1),
        (ByPosition, (0.1, 7)),
        (ByName, (0.1, 7)),
        (Anything, (0.1, 7)),
    ],
)
def test_a_program_is_called_as_its_signature_asks(target: Any, expected: Any) -> None:
    """The signature alone decides whether and how the trial is handed over."""
    assert run_program(symbolize(target)(lr=0.1), Trial(7)) == expected


def test_an_object_that_cannot_be_called_is_refused() -> None:
    """The message says what is missing."""
    with pytest.raises(TypeError, match="NotCallable has no __call__"):
        run_program(symbolize(NotCallable)(), Trial())


def test_a_fresh_object_is_built_for_every_run() -> None:
    """State of one run must not leak into the next."""

    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self) -> int:
            self.count += 1
            return self.count

    program = symbolize(Counter)()
    assert [run_program(program, Trial()) for _ in range(3)] == [1, 1, 1]


def test_reports_arrive_as_plain_floats() -> None:
    """NumPy scalars are converted, NaN is passed on."""
    heard: list[tuple[int, dict[str, float]]] = []
    trial = Trial(sink=lambda step, metrics: heard.append((step, metrics)))
    trial.report(np.int64(3), accuracy=np.float32(0.5), loss=float("nan"))  # type: ignore[arg-type]
    ((step, metrics),) = heard
    assert (step, type(step), metrics["accuracy"]) == (3, int, 0.5)
    assert type(metrics["accuracy"]) is float
    assert math.isnan(metrics["loss"])


def test_a_report_may_end_the_trial() -> None:
    """What the sink raises reaches the program."""

    def sink(step: int, metrics: dict[str, float]) -> None:
        raise Pruned("enough")

    with pytest.raises(Pruned, match="enough"):
        Trial(sink=sink).report(1, loss=1.0)
    Trial().report(1, loss=1.0)  # without a sink nobody objects


@pytest.mark.parametrize("value", [True, np.bool_(True), "0.9", b"1", None, [1.0], 1j, np.ones(2)])
def test_what_is_no_number_is_refused(value: Any) -> None:
    """Booleans and texts are slips, although `float` takes them."""
    with pytest.raises(TypeError, match="accuracy is a"):
        Trial().report(1, accuracy=value)


@pytest.mark.parametrize(
    "value", [1, 1.0, np.float64(1), np.int8(1), Fraction(1), Decimal(1), np.ones(1), np.array(1.0)]
)
def test_what_is_one_number_is_taken(value: Any) -> None:
    """Whatever library it comes from."""
    result = number(value)
    assert result == 1.0
    assert type(result) is float


def test_a_torch_scalar_is_taken() -> None:
    """Also one that carries a gradient; a boolean tensor is refused."""
    torch = pytest.importorskip("torch")
    assert number(torch.tensor([0.5], dtype=torch.bfloat16)) == 0.5
    assert number(torch.tensor(0.5, requires_grad=True).detach()) == 0.5
    for bad in (torch.tensor(True), torch.ones(2)):
        with pytest.raises(TypeError):
            number(bad)


def test_the_checkpoint_folder_is_made_when_it_is_first_used(tmp_path: Path) -> None:
    """A trial that keeps nothing leaves nothing."""
    trial = Trial(folder=tmp_path / "trials" / "1")
    assert not (tmp_path / "trials").exists()
    (trial.checkpoint / "state").write_text("x", "utf-8")
    assert (Trial(folder=tmp_path / "trials" / "1").checkpoint / "state").exists()


def test_a_trial_without_folder_uses_a_temporary_one() -> None:
    """It goes away with the trial."""
    trial = Trial()
    folder = trial.checkpoint
    assert folder.is_dir()
    assert trial.checkpoint == folder
    del trial
    gc.collect()
    assert not folder.exists()


def _reports(trial: Trial, steps: int = 6) -> int:
    """How many steps a program gets to, if it reports each of them from 1 on."""
    for step in range(1, steps + 1):
        try:
            trial.report(step, accuracy=step / 10)
        except Pruned:
            return step
    return steps


def test_a_program_that_ignores_its_budget_is_stopped_by_the_report_that_reaches_it() -> None:
    """The report counts; the program has no chance to train beyond."""
    heard: list[int] = []
    trial = Trial(budget=3, sink=lambda step, _: heard.append(step))
    assert _reports(trial) == 3
    assert heard == [1, 2, 3]
    assert trial.spent
    assert not trial.asked


def test_a_program_that_asked_for_its_budget_returns_by_itself() -> None:
    """Its report at the budget is an ordinary one; only one beyond it ends the trial, unheard."""
    heard: list[int] = []
    trial = Trial(budget=3, sink=lambda step, _: heard.append(step))
    assert trial.budget == 3
    assert _reports(trial, 3) == 3
    assert not trial.spent
    assert _reports(trial) == 4
    assert heard == [1, 2, 3, 1, 2, 3]
    assert trial.spent


def test_a_full_budget_stops_nothing() -> None:
    """Without a budget every report passes."""
    assert _reports(Trial(), 50) == 50
