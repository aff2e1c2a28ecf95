"""The worker processes of a pool, seen from the driver: what they send, and when they die.

A worker leads a process group, so that killing the group takes its children along. Its death is
seen through a pidfd, at once and whatever the cause.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from typing import NamedTuple

from automl_cli.trials import Report
from automl_cli.worker import MAX_REPORT

Key = tuple[int, int]
"""An attempt: trial id and attempt."""


class Start(NamedTuple):
    """Where and when an attempt began; seconds of `time.monotonic`, one clock for all."""

    pid: int
    time: float


class Roster:
    """The workers that live, and the attempts that they began.

    Attributes:
        outbox: the end that workers send to: one whole message at a time, so that a worker that
            is killed while it sends leaves no half of one.
    """

    def __init__(self) -> None:
        self._inbox, self.outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._inbox.setblocking(False)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._inbox, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)
        self._files: dict[int, int] = {}  # process id -> pidfd, of the workers that live
        self._started: dict[Key, Start] = {}
        self._died: dict[Key, float] = {}  # attempts whose worker is gone: when that was seen

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that live."""
        return [*self._files]

    @property
    def begun(self) -> int:
        """How many attempts were begun and are not over."""
        return len(self._started)

    def wait(self, seconds: float) -> None:
        """Until a worker sends something or dies, `ring` is called, or the time is up."""
        self._poll.poll(seconds * 1000)

    def ring(self) -> None:
        """End the wait, from any thread."""
        os.eventfd_write(self._bell, 1)

    def rearm(self) -> None:
        """Forget that it rang. Look at what it rang for after this, not before."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def gather(self) -> list[Report]:
        """Take in everything that was sent, and bury the dead; the reports that were sent."""
        reports = []
        with contextlib.suppress(BlockingIOError):
            while True:
                kind, *fields = json.loads(self._inbox.recv(MAX_REPORT))
                if kind == "report":
                    reports.append(Report(*fields))
                elif kind == "start":
                    trial_id, attempt, *start = fields
                    self._started[trial_id, attempt] = Start(*start)
                elif kind == "ready":
                    self._welcome(*fields)
        pids = {file: pid for pid, file in self._files.items()}
        for file, _ in self._poll.poll(0):
            if file in pids:
                self._bury(pids[file])
        return reports

    def end(self, key: Key) -> tuple[Start | None, float | None]:
        """Forget an attempt that is over: when it began, when its worker was seen to be gone."""
        return self._started.pop(key, None), self._died.pop(key, None)

    def missing(self, grace: float) -> list[Key]:
        """Attempts whose worker is gone since `grace` seconds, and of which nothing was heard."""
        limit = time.monotonic() - grace
        return [key for key, died in self._died.items() if died < limit]

    def kill(self) -> None:
        """Kill every worker and its children."""
        for pid in self._files:
            kill_group(pid)

    def clear(self) -> list[Report]:
        """After the workers were ended: kill what they left; their last reports."""
        reports = self.gather()
        for pid in self.pids:
            self._bury(pid)
        return reports

    def close(self) -> None:
        """Close the files; nobody may send or ring any more."""
        self._inbox.close()
        self.outbox.close()
        os.close(self._bell)

    def _welcome(self, pid: int) -> None:
        try:
            self._files[pid] = os.pidfd_open(pid)
        except ProcessLookupError:
            kill_group(pid)  # its children may be left
        else:
            self._poll.register(self._files[pid], select.POLLIN)

    def _bury(self, pid: int) -> None:
        kill_group(pid)
        file = self._files.pop(pid)
        self._poll.unregister(file)
        os.close(file)
        now = time.monotonic()
        self._died |= {key: now for key, start in self._started.items() if start.pid == pid}


def kill_group(pid: int) -> None:
    """Kill a worker's process group: the worker if it lives, and all of its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
