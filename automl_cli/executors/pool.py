"""Trials in worker processes: one dying or hanging trial costs nobody else anything.

Pebble (forkserver) hands out the trials, and replaces a worker that died. Added here: a worker
dies with all of its children (process groups, and a watch on the driver), a worker that left
with exit code 0 in the middle of a trial is noticed, and a broken pool is replaced.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver

from pebble import CONSTS, ProcessExpired, ProcessPool

from automl_cli.executors import Executor, check
from automl_cli.executors._roster import Key, Roster
from automl_cli.trial_run import Limits, describe
from automl_cli.trials import Report, State, TrialRequest, TrialResult
from automl_cli.worker import (
    SAFE_PATH,
    THREAD_VARIABLES,
    Setting,
    request_text,
    run_text,
    start_worker,
)
from automl_spaces.errors import AutomlError

_LEFT = "the worker left with exit code 0"  # pebble takes that for a proper end
_BROKEN = "the pool of workers broke down"
_START_UP = 120.0  # seconds that a worker may take to import the user's modules
_GRACE = 1.0  # seconds until a vanished worker that pebble does not miss is given up
_STALL = 5.0  # seconds that a trial may wait beside an idle worker; usually less than 1 ms
_SHORT = 0.2  # seconds; handing a trial over takes about 1 ms
_TICK = 1.0  # seconds between looks at the pool's health while nothing happens


# Pebble waits this long, in seconds, for a worker that catches SIGTERM before it sends SIGKILL;
# the other workers get no new trials meanwhile.
CONSTS.term_timeout = 0.5


class PoolExecutor(Executor):
    """A pool of worker processes.

    Args:
        slots: number of workers; None means one for each processor this process may use.
        timeout: seconds per trial; then its worker and the worker's children are killed.
        memory: GB (10^9 bytes) of data a worker may hold; more is a MemoryError in the program.
        threads: computing threads per worker (OpenMP, MKL, torch).
        lookahead: trials to keep queued beyond `slots`, so that a worker finds its next one at
            once. Each is proposed without knowing one more outcome. None means 1 while trials
            are short, where the way through the driver would be felt, and 0 otherwise.
        preload: modules to import once, before workers are forked off: torch, say. Only the first
            pool of a process decides this, the server that forks is kept.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        slots: int | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        threads: int = 1,
        lookahead: int | None = None,
        preload: Sequence[str] = (),
    ) -> None:
        check(
            "pool",
            {"timeout": timeout, "memory": memory},
            {"slots": (slots, 1), "threads": (threads, 1), "lookahead": (lookahead, 0)},
        )
        self.slots = slots or len(os.sched_getaffinity(0))
        self._setting, self._timeout, self._lookahead = setting, timeout, lookahead
        self._seconds = math.inf  # of the latest trial
        self._limits, self._preload = Limits(memory, threads), preload
        self._roster = Roster()
        self._stalled = 0.0  # since when trials wait beside idle workers
        self._running: dict[Key, Future[str]] = {}
        self._done: deque[tuple[Key, Future[str]]] = deque()  # filled by pebble's threads
        self._backlog: list[TrialResult | Report] = []
        self._pool: ProcessPool | None = None
        self._closed = False

    @property
    def capacity(self) -> int:
        """Trials to keep submitted: `slots` and the lookahead."""
        if self._lookahead is not None:
            return self.slots + self._lookahead
        return self.slots + (self._seconds < _SHORT)

    def warm(self) -> None:
        """Start the workers, and return when all of them can take a trial.

        Raises:
            AutomlError: when they do not come up.
        """
        pool = self._ensure()
        deadline = time.monotonic() + _START_UP
        while len(self._roster.pids) < self.slots:
            self._roster.wait(0.1)
            self._backlog += self._gather()
            if not pool.active or time.monotonic() > deadline:
                self.close(kill=True)
                modules = ", ".join(self._setting.imports)
                hint = f"does python -c 'import {modules}' work?" if modules else ""
                raise AutomlError("executor pool: the workers do not start", hint=hint)

    def submit(self, request: TrialRequest) -> None:
        """Queue an attempt; a free worker takes it at once.

        Raises:
            UserError: when the program cannot be written down as names and data.
        """
        text = request_text(request)
        key = (request.trial_id, request.attempt)
        future = self._ensure().schedule(run_text, args=(text,), timeout=self._timeout)
        self._running[key] = future
        future.add_done_callback(lambda future: self._note(key, future))

    def completed(self, timeout: float | None) -> list[TrialResult | Report]:
        """What happened since; see `Executor.completed`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            happened, self._backlog = self._backlog, []
            if not self._closed:
                happened += self._gather()
            if happened or not self._running:
                return happened
            wait = _TICK if deadline is None else min(deadline - time.monotonic(), _TICK)
            if wait <= 0:
                return []
            self._roster.wait(wait)

    def close(self, kill: bool = False) -> None:
        """End all workers and every process they started."""
        if self._closed:
            return
        kept: list[TrialResult | Report] = []
        while self._running and not kill:
            kept += self.completed(None)
        self._running.clear()
        self._stop_pool()
        self._closed, self._backlog = True, kept
        self._roster.close()

    # The pool of pebble

    def _ensure(self) -> ProcessPool:
        """The pool, started; a broken one is replaced."""
        if self._closed:
            raise RuntimeError("the executor is closed")
        if self._pool is not None and not self._pool.active:
            self._backlog += self._abandon()
        if self._pool is None:
            _start_forkserver(self._preload, self._limits.threads)
            self._pool = ProcessPool(
                self.slots,
                initializer=start_worker,
                initargs=(
                    os.getpid(),
                    self._roster.outbox,
                    self._setting,
                    self._limits,
                    os.environ.get(SAFE_PATH),
                ),
                context=multiprocessing.get_context("forkserver"),
            )
            assert self._pool.active  # asking starts it
        return self._pool

    def _stop_pool(self) -> list[Report]:
        """Kill all workers with their children, wait until they are gone; their last reports."""
        if self._pool is None:
            return []
        # Stopped before its workers die, so that none is replaced.
        self._pool.stop()  # type: ignore[no-untyped-call]
        reports = self._roster.gather()
        self._roster.kill()
        self._pool.join()
        self._pool = None
        return reports + self._roster.clear()

    def _abandon(self) -> list[TrialResult | Report]:
        """Give up a broken pool: what ran in it is lost, the next trial gets a new one.

        Pebble gives up when a worker dies that had no trial, or with the queue's lock in hand.
        """
        reports, self._stalled = self._stop_pool(), 0.0
        lost = [self._ended(key, "lost", _BROKEN) for key in self._running]
        self._running.clear()
        return [*reports, *lost]

    def _note(self, key: Key, future: Future[str]) -> None:
        """A trial is over; called in a thread of pebble's."""
        self._done.append((key, future))
        self._roster.ring()

    # What happened

    def _gather(self) -> list[TrialResult | Report]:
        """Everything that is known by now, without waiting."""
        self._roster.rearm()
        # Results first: whatever a trial reported was sent before, so it is gathered after.
        done = [self._done.popleft() for _ in range(len(self._done))]
        happened: list[TrialResult | Report] = [*self._roster.gather()]
        for key, future in done:
            if self._running.get(key) is future:  # else it was given up before
                del self._running[key]
                happened.append(self._result(key, future))
        for key in self._roster.missing(_GRACE):
            if key in self._running:
                self._running.pop(key).cancel()
            happened.append(self._ended(key, "lost", _LEFT))
        if self._pool is not None and (not self._pool.active or self._stalls()):
            happened += self._abandon()
        return happened

    def _stalls(self) -> bool:
        """Whether trials wait although workers are idle, for so long that no worker will come.

        A worker that is killed within the microseconds in which it fetches a trial takes the lock
        of pebble's queue with it, and the others would wait for minutes.
        """
        if self._roster.begun < min(len(self._running), len(self._roster.pids)):
            self._stalled = self._stalled or time.monotonic()
            return time.monotonic() - self._stalled > _STALL
        self._stalled = 0.0
        return False

    def _result(self, key: Key, future: Future[str]) -> TrialResult:
        error = future.exception()
        if error is None:
            self._roster.end(key)
            result = TrialResult(*json.loads(future.result()))
            self._seconds = result.seconds
            return result
        if isinstance(error, TimeoutError):
            return self._ended(key, "failed", f"timeout (limit {self._timeout:g} s)")
        if isinstance(error, ProcessExpired):
            return self._ended(key, "lost", f"the worker {_exit(error.exitcode)}")
        if isinstance(error, BrokenProcessPool):
            return self._ended(key, "lost", _BROKEN)
        return self._ended(key, "failed", describe(error, self._limits))

    def _ended(self, key: Key, state: State, reason: str) -> TrialResult:
        """The result of an attempt that could not tell its own."""
        start, died = self._roster.end(key)
        seconds = 0.0
        if start is not None:
            seconds = (died or time.monotonic()) - start.time
            if state == "failed" and self._timeout and died and seconds < 0.9 * self._timeout:
                state, reason = "lost", _LEFT  # gone well before its time was up
        return TrialResult(*key, state, {}, reason, seconds)


def _exit(code: int) -> str:
    """How a process ended, from its exit code."""
    if code >= 0:
        return f"left with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ": out of memory, or killed by somebody" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}"


def _start_forkserver(preload: Sequence[str], threads: int) -> None:
    """Start the process that workers are forked from; the libraries it loads see `threads`.

    With a safe path: a `random.py` in the working folder must not be taken for Python's own.
    """
    forkserver.set_forkserver_preload(["automl_cli.worker", *preload])
    settings = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {SAFE_PATH: "1"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
