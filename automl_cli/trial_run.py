"""What happens around one trial: a program is run, and whatever it does becomes a result."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from automl_cli.trials import BadResult, State, TrialRequest, TrialResult, normalise
from automl_spaces.errors import UserError
from automl_spaces.trial import Pruned, Sink, Trial, run_program

NO_FIDELITY = (
    "it was granted a budget, but never asked for trial.budget, nor did it report: "
    "trial.report(step=epoch, accuracy=...)"
)
_FRAMES, _REASON = 3, 2000  # of a traceback: innermost frames kept, characters kept


class Limits(NamedTuple):
    """What a worker process may use: GB (10^9 bytes) of memory, None for no limit; threads."""

    memory: float | None = None
    threads: int = 1


class TrialTimeout(TimeoutError):  # noqa: N818 - a kind of TimeoutError
    """Raised inside of a trial that runs in the driver and took too long."""


NO_LIMITS = Limits()
NO_GUARD = contextlib.nullcontext()


def run_trial(
    request: TrialRequest,
    metrics: Sequence[str],
    sink: Sink,
    *,
    limits: Limits = NO_LIMITS,
    guard: AbstractContextManager[None] = NO_GUARD,
) -> TrialResult:
    """Run one attempt. Whatever the program raises becomes the result's state and reason.

    Args:
        metrics: names of the metrics that the program must return.
        sink: hears of its reports.
        guard: entered around the program; may raise `TrialTimeout` into it.

    Raises:
        KeyboardInterrupt: passes through.
    """
    reported: dict[str, float] = {}

    def report(step: int, values: dict[str, float]) -> None:
        reported.update(values)
        sink(step, values)

    trial = Trial(
        request.trial_id,
        seed=request.seed,
        budget=request.budget,
        folder=request.folder,
        params=request.decisions,
        sink=report,
    )
    seed_everything(request.seed)
    state: State = "completed"
    values, reason, mistake = reported, "", False
    start = time.perf_counter()
    try:
        if request.parent is not None:
            inherit(request.parent, request.folder)
        with guard:
            returned = run_program(request.program, trial)
        if request.budget is not None and not trial.asked and not trial.reports:
            raise UserError(NO_FIDELITY)
        values = normalise(returned, metrics)
    except Pruned as pruned:
        if trial.spent:
            state, values, reason = _at_budget(reported, metrics)
        else:
            state, reason = "pruned", str(pruned)
    except UserError as error:
        state, values, reason, mistake = "failed", {}, _in_a_line(error), True
    except (BadResult, TrialTimeout) as error:
        state, values, reason = "failed", {}, str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the program may raise anything
        state, values, reason = "failed", {}, describe(error, limits)
    seconds = time.perf_counter() - start
    return TrialResult(request.trial_id, request.attempt, state, values, reason, seconds, mistake)


def _in_a_line(error: UserError) -> str:
    return "; ".join(f"{p.message} ({p.hint})" if p.hint else p.message for p in error.problems)


def _at_budget(reported: dict[str, float], metrics: Sequence[str]) -> tuple[State, Any, str]:
    """How a trial ended that was stopped by its budget: what it reported last is its result."""
    try:
        return "completed", normalise(reported, metrics), ""
    except BadResult as error:
        return "failed", {}, f"at its budget the program {error}"


def inherit(parent: Path, folder: Path) -> None:
    """Start from a copy of another trial's checkpoint, unless this trial has one of its own.

    The copy appears under its name all at once: a kill leaves either none or a whole one.
    """
    source, target = parent / "checkpoint", folder / "checkpoint"
    if target.exists() or not source.exists():
        return
    temporary = folder / f"checkpoint.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    with contextlib.suppress(OSError):  # somebody else was quicker
        temporary.rename(target)


def seed_everything(seed: int) -> None:
    """Seed `random`, and NumPy and torch where they are loaded.

    A program that itself imports torch for the first time while it runs seeds it itself, from
    `trial.seed`; preloading torch in the pool makes that unnecessary.
    """
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:  # 80 times quicker: it asks no devices
            torch.default_generator.manual_seed(seed)


def describe(error: BaseException, limits: Limits = NO_LIMITS) -> str:
    """One line that says what was raised, then the innermost frames of the program."""
    if _out_of_memory(error):
        return f"out of memory{f' (limit {limits.memory:.1f} GB)' if limits.memory else ''}"
    text = str(error).strip() or repr(error)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    trace = [f"  {f.filename}:{f.lineno} in {f.name}: {f.line}" for f in frames]
    return "\n".join([f"{type(error).__name__}: {text}", *trace])[:_REASON]


def _out_of_memory(error: BaseException) -> bool:
    # torch's CPU allocator raises a plain RuntimeError.
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
