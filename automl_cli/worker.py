"""What happens around one trial, and what a worker process does.

`run_trial` runs a program and turns whatever happens into a `TrialResult`; every executor uses
it. The rest is for worker processes: they are sent names and data as JSON text, and answer with
JSON text, so that nothing can fail to be pickled and nothing is ever unpickled from a trial.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import random
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from automl_cli.module_folders import open_folders
from automl_cli.shipped import register_shipped
from automl_cli.trials import BadResult, State, TrialRequest, TrialResult, normalise
from automl_spaces.trial import Pruned, Sink, Trial, run_program

GIGABYTE = 10**9
MAX_REPORT = 64 * 1024  # bytes; the kernel passes on a message of this size in one piece
SAFE_PATH = "PYTHONSAFEPATH"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_FRAMES, _REASON = 3, 2000  # of a traceback: innermost frames kept, characters kept


class Setting(NamedTuple):
    """What all trials of a study share.

    Args:
        metrics: names of the metrics that every program must return.
        imports: modules that programs may name; they are imported before the first trial.
        sys_path: folders where the user's modules lie.
    """

    metrics: tuple[str, ...]
    imports: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()


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
    values, reason = reported, ""
    start = time.perf_counter()
    try:
        with guard:
            returned = run_program(request.program, trial)
        values = normalise(returned, metrics)
    except Pruned as pruned:
        state, reason = "pruned", str(pruned)
    except (BadResult, TrialTimeout) as error:
        state, values, reason = "failed", {}, str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the program may raise anything
        state, values, reason = "failed", {}, describe(error, limits)
    seconds = time.perf_counter() - start
    return TrialResult(request.trial_id, request.attempt, state, values, reason, seconds)


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


# Below: inside of a worker process.


class _Worker:
    """The state of this worker process. `reports` leads to the driver, one message per send."""

    setting: Setting
    limits: Limits
    reports: socket.socket


def start_worker(
    driver: int,
    reports: socket.socket,
    setting: Setting,
    limits: Limits,
    safe_path: str | None = None,
) -> None:
    """Prepare a fresh worker process; runs once, before its first trial.

    Args:
        driver: process id of the driver; the worker and its children die with it.
        reports: where messages to the driver go.
        safe_path: what PYTHONSAFEPATH was for the driver, and is to be for a trial's children.
    """
    os.environ.pop(SAFE_PATH, None)
    if safe_path is not None:
        os.environ[SAFE_PATH] = safe_path
    os.setpgid(0, 0)  # a group of its own: it is killed with its children, and Ctrl-C passes it by
    _watch(driver)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at once, even while C code runs
    _Worker.setting, _Worker.limits, _Worker.reports = setting, limits, reports
    _redirect(os.devnull)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(limits.threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(limits.threads)
    open_folders(setting.sys_path)
    register_shipped()
    for module in setting.imports:
        with contextlib.suppress(Exception):  # a trial tells why it cannot be imported
            importlib.import_module(module)
    if limits.memory is not None:
        # RLIMIT_DATA counts memory that is written to; RLIMIT_AS would count torch's libraries
        # and every reserved address too.
        limit = int(limits.memory * GIGABYTE)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    _send("ready", os.getpid())


def run_text(text: str) -> str:
    """Run the attempt that `request_text` describes; returns the result as JSON text."""
    trial_id, attempt, program, decisions, seed, budget, folder = json.loads(text)
    request = TrialRequest(trial_id, attempt, program, decisions, seed, budget, Path(folder))
    _send("start", trial_id, attempt, os.getpid(), time.monotonic())

    def sink(step: int, metrics: dict[str, float]) -> None:
        _send("report", trial_id, attempt, step, metrics)

    with _log_to(request.folder):
        start = time.perf_counter()
        try:
            request = request._replace(program=_load(program))
        except Exception as error:  # noqa: BLE001 - the user's modules may raise anything
            reason, seconds = describe(error, _Worker.limits), time.perf_counter() - start
            result = TrialResult(trial_id, attempt, "failed", {}, reason, seconds)
        else:
            result = run_trial(request, _Worker.setting.metrics, sink, limits=_Worker.limits)
        if result.reason:
            print(result.reason, file=sys.stderr)  # noqa: T201 - into the trial's log
    return json.dumps(result)


def request_text(request: TrialRequest) -> str:
    """A request as JSON text: names and data."""
    program = request.program.to_json()
    return json.dumps((*request._replace(program=program)[:-1], str(request.folder)))  # type: ignore[arg-type]


def _load(program: str) -> Any:
    from automl_spaces.symbols import Symbol

    return Symbol.from_json(program, imports=_Worker.setting.imports)


def _send(kind: str, *fields: Any) -> None:
    """One message to the driver, whole or not at all, even if this process is killed meanwhile.

    Raises:
        ValueError: when it is longer than `MAX_REPORT`.
    """
    message = json.dumps((kind, *fields)).encode()
    if len(message) > MAX_REPORT:
        raise ValueError(f"a report of {len(message):,} bytes, more than {MAX_REPORT:,}")
    _Worker.reports.send(message)


def _watch(driver: int) -> None:
    """Kill this process group as soon as the driver is gone, however it went."""
    try:
        gone = os.pidfd_open(driver)
    except ProcessLookupError:
        os.killpg(0, signal.SIGKILL)

    def wait() -> None:
        select.select([gone], [], [])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="driver-watch", daemon=True).start()


@contextlib.contextmanager
def _log_to(folder: Path) -> Iterator[None]:
    """Send output of the trial, of its C code and of its children, to `<folder>.log`.

    Beside the folder and not in it, because making and removing folders is the dearest part of
    a short trial. Nothing is left behind by one that prints nothing.
    """
    log = folder.with_name(f"{folder.name}.log")
    try:
        _redirect(log)
    except FileNotFoundError:  # the first trial of the study
        log.parent.mkdir(parents=True, exist_ok=True)
        _redirect(log)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _redirect(os.devnull)
        if not log.stat().st_size:
            log.unlink()


def _redirect(path: str | Path) -> None:
    """Point standard output and error of this process at the end of a file."""
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
