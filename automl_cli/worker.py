"""What a worker process does.

It is sent names and data as JSON text, and answers with JSON text, so that nothing can fail to
be pickled and nothing is ever unpickled from a trial.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from automl_cli.module_folders import open_folders
from automl_cli.shipped import register_shipped
from automl_cli.trial_run import Limits, describe, run_trial
from automl_cli.trials import TrialRequest, TrialResult
from automl_spaces.trial import Sink

GIGABYTE = 10**9
MAX_REPORT = 64 * 1024  # bytes; the kernel passes on a message of this size in one piece
SAFE_PATH = "PYTHONSAFEPATH"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
    watch(driver)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at once, even while C code runs
    _Worker.reports = reports
    _redirect(os.devnull)
    prepare(setting, limits)
    _send("ready", os.getpid())


def prepare(setting: Setting, limits: Limits) -> None:
    """Make this process fit for the trials of a study, whoever started it."""
    _Worker.setting, _Worker.limits = setting, limits
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


def run_text(text: str) -> str:
    """Run the attempt that `request_text` describes; returns the result as JSON text."""
    request = read_request(text)
    _send("start", request.trial_id, request.attempt, os.getpid(), time.monotonic())
    return answer(request, lambda *told: _send("report", request.trial_id, request.attempt, *told))


def answer(request: TrialRequest, sink: Sink) -> str:
    """Run an attempt in this prepared process; the result as JSON text.

    Args:
        request: its program still as JSON text.
        sink: takes the reports.
    """
    with _log_to(request.folder):
        start = time.perf_counter()
        try:
            request = request._replace(program=_load(request.program))
        except Exception as error:  # noqa: BLE001 - the user's modules may raise anything
            reason, seconds = describe(error, _Worker.limits), time.perf_counter() - start
            known = request.trial_id, request.attempt
            result = TrialResult(*known, "failed", {}, reason, seconds)
        else:
            result = run_trial(request, _Worker.setting.metrics, sink, limits=_Worker.limits)
        if result.reason:
            print(result.reason, file=sys.stderr)  # noqa: T201 - into the trial's log
    return json.dumps(result)


def read_request(text: str) -> TrialRequest:
    """A request from its JSON text; its program stays text until the trial's log is open."""
    trial_id, attempt, program, decisions, seed, budget, folder, parent = json.loads(text)
    into, onwards = Path(folder), None if parent is None else Path(parent)
    return TrialRequest(trial_id, attempt, program, decisions, seed, budget, into, onwards)


def request_text(request: TrialRequest) -> str:
    """A request as JSON text: names and data."""
    return json.dumps(request._replace(program=request.program.to_json()), default=str)  # type: ignore[arg-type]


def _load(program: Any) -> Any:
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


def watch(driver: int) -> None:
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
