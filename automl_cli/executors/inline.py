"""Trials in the driver itself, one after the other: no isolation, next to no overhead."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from collections.abc import Iterator

from automl_cli.executors import Executor
from automl_cli.trial_run import NO_GUARD, TrialTimeout, run_trial
from automl_cli.trials import Report, TrialRequest, TrialResult
from automl_cli.worker import Setting
from automl_spaces.errors import UserError


class InlineExecutor(Executor):
    """Runs a trial when its result is asked for.

    Ctrl-C passes through. A timeout is raised inside of the program, so only code that does not
    catch it, and does not sit in one long call of C code, ends in time: the pool can kill.

    Args:
        timeout: seconds per trial; needs the main thread.

    Raises:
        UserError: for a timeout outside of the main thread.
    """

    def __init__(self, setting: Setting, *, timeout: float | None = None) -> None:
        if timeout is not None and threading.current_thread() is not threading.main_thread():
            raise UserError(
                "executor inline: a timeout needs the main thread", hint="use executor pool"
            )
        self._metrics, self._timeout = setting.metrics, timeout
        self._waiting: deque[TrialRequest] = deque()

    def submit(self, request: TrialRequest) -> None:
        """Put a trial in the queue."""
        self._waiting.append(request)

    def completed(self, timeout: float | None) -> list[TrialResult | Report]:
        """Run the next trial in the queue to its end, however long it takes."""
        if not self._waiting:
            return []
        request = self._waiting.popleft()
        happened: list[TrialResult | Report] = []

        def sink(step: int, metrics: dict[str, float]) -> None:
            happened.append(Report(request.trial_id, request.attempt, step, metrics))

        guard = NO_GUARD if self._timeout is None else _alarm(self._timeout)
        happened.append(run_trial(request, self._metrics, sink, guard=guard))
        return happened

    def close(self, kill: bool = False) -> None:
        """Forget what is in the queue: nothing runs between two calls."""
        self._waiting.clear()


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `TrialTimeout` in the block when it takes longer."""

    def ring(*_: object) -> None:
        raise TrialTimeout(f"timeout (limit {seconds:g} s)")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
