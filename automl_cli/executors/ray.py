"""Trials as Ray tasks: on all nodes of a cluster, or on a local one that ends with the search.

`$RAY_ADDRESS` names the cluster, as for everything that uses Ray; without it one is started here,
on the loopback interface. A trial is one task with the cores and GPUs that it asked for. It is sent
names and data as JSON text and answers so, as a worker of the pool; its reports go through a small
actor, the mailbox, and are there before its result is. Ray retries nothing: what becomes of a lost
attempt is up to the runner. A worker leads a process group, which is killed as a whole.

Every node needs this package, the user's modules, and the project's folder under the same path, for
checkpoints are handed on there.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from automl_cli.executors import Executor, check
from automl_cli.executors._roster import Key, kill_group
from automl_cli.trial_run import Limits, describe
from automl_cli.trials import Report, State, TrialRequest, TrialResult
from automl_cli.worker import Setting, answer, prepare, read_request, request_text, watch
from automl_spaces.errors import AutomlError, UserError

_TICK = 0.2  # seconds between looks at the clock while a trial with a timeout runs
_LOCAL = "127.0.0.1"
_STORE = 100 * 1024 * 1024  # bytes of shared memory of a local cluster; texts are all it holds
_DIED = "the worker died: it was killed, out of memory, or left"


class Start(NamedTuple):
    """Where and when an attempt began: process, node, seconds of the driver's monotonic clock."""

    pid: int
    node: str
    time: float


class RayExecutor(Executor):
    """A Ray cluster.

    Args:
        slots: trials at the same time; None means as many as the cluster has cores for.
        timeout: seconds per trial; then its worker and the worker's children are killed.
        memory: GB (10^9 bytes) of data a worker may hold; more is a MemoryError in the program.
        threads: cores of a trial, and its computing threads.
        gpus: of a trial; a fraction shares one.
        preload: modules to import before the first trial: torch, say.

    Raises:
        UserError: Ray is not installed, or an option that cannot be.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        slots: int | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        threads: int = 1,
        gpus: float = 0.0,
        preload: Sequence[str] = (),
    ) -> None:
        check(
            "ray",
            {"timeout": timeout, "memory": memory},
            {"slots": (slots, 1), "threads": (threads, 1), "gpus": (gpus, 0)},
        )
        self._ray = _ray()
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._connect(slots, threads)
        cores = self._ray.cluster_resources().get("CPU", 1.0)
        self.slots = slots or max(1, int(cores // threads))
        self._timeout, self._limits = timeout, Limits(memory, threads)
        self._node = self._ray.get_runtime_context().get_node_id()
        remote = self._ray.remote
        task = remote(num_cpus=threads, num_gpus=gpus, max_retries=0)
        self._attempt, self._get_ready = task(_attempt), task(_get_ready)
        self._kill_there = remote(num_cpus=0, max_retries=0)(kill_group)
        self._mailbox = remote(num_cpus=0)(Mailbox).remote()
        self._bell = self._mailbox.wait.remote()
        self._given = (setting, self._limits, tuple(preload))
        self._running: dict[Key, Any] = {}  # the future result of each
        self._started: dict[Key, Start] = {}
        self._late: set[Key] = set()  # killed, for their time was up
        self._backlog: list[TrialResult | Report] = []
        self._closed = False

    def _connect(self, slots: int | None, threads: int) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if not os.environ.get("RAY_ADDRESS"):
            cores = None if slots is None else slots * threads
            options |= {
                "num_cpus": cores or len(os.sched_getaffinity(0)),
                "include_dashboard": False,
                "object_store_memory": _STORE,
                "_node_ip_address": _LOCAL,
            }
        try:
            self._ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = os.environ.get("RAY_ADDRESS", "a local cluster")
            raise AutomlError(f"executor ray: no connection to {where}: {error}") from error

    def warm(self) -> None:
        """Start a worker for every slot."""
        self._ray.get([self._get_ready.remote(*self._given) for _ in range(self.slots)])

    def submit(self, request: TrialRequest) -> None:
        """Hand an attempt to the cluster, which runs it when it has room.

        Raises:
            UserError: when the program cannot be written down as names and data.
        """
        if self._closed:
            raise RuntimeError("the executor is closed")
        text = request_text(request)
        task = self._attempt.remote(text, *self._given, self._mailbox)
        self._running[request.trial_id, request.attempt] = task

    def completed(self, timeout: float | None) -> list[TrialResult | Report]:
        """What happened since; see `Executor.completed`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            happened, self._backlog = self._backlog, []
            if not self._closed:
                happened += self._gather()
            if happened or not self._running:
                return happened
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self._timeout is not None:
                wait = _TICK if wait is None else min(wait, _TICK)
            if wait == 0:
                return []
            self._ray.wait([*self._running.values(), self._bell], timeout=wait)
            self._kill_late()

    def close(self, kill: bool = False) -> None:
        """End all trials and every process they started; a cluster that was started here too."""
        if self._closed:
            return
        kept: list[TrialResult | Report] = []
        while self._running and not kill:
            kept += self.completed(None)
        for task in self._running.values():
            self._ray.cancel(task, force=True)
        self._hear()  # of those that began meanwhile
        for start in self._started.values():
            self._kill(start)
        self._running.clear()
        self._ray.kill(self._mailbox)
        if self._ours:
            self._ray.shutdown()
        self._closed, self._backlog = True, kept

    # What happened

    def _gather(self) -> list[TrialResult | Report]:
        """Everything that is known by now, without waiting."""
        # Results first: whatever a trial reported was taken before, so it is heard after.
        tasks = {task: key for key, task in self._running.items()}
        over: list[Any] = []
        if tasks:
            over, _ = self._ray.wait([*tasks], num_returns=len(tasks), timeout=0)
        happened: list[TrialResult | Report] = [*self._hear()]
        for task in over:
            key = tasks[task]
            del self._running[key]
            happened.append(self._result(key, task))
        return happened

    def _hear(self) -> list[Report]:
        """Empty the mailbox."""
        reports = []
        for kind, *fields in map(json.loads, self._ray.get(self._mailbox.drain.remote())):
            if kind == "report":
                reports.append(Report(*fields))
            else:
                trial_id, attempt, pid, node = fields
                self._started[trial_id, attempt] = Start(pid, node, time.monotonic())
        if self._ray.wait([self._bell], timeout=0)[0]:
            self._bell = self._mailbox.wait.remote()
        return reports

    def _result(self, key: Key, task: Any) -> TrialResult:
        start, late = self._started.pop(key, None), key in self._late
        self._late.discard(key)
        errors = self._ray.exceptions
        state: State = "failed"
        try:
            return TrialResult(*json.loads(self._ray.get(task)))
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            reason = describe(cause, self._limits)
        except errors.RayError as error:
            if start is not None:
                self._kill(start)  # its children may be left
            state, reason = "lost", _DIED
            if isinstance(error, errors.NodeDiedError | errors.ObjectLostError):
                reason = "its node is gone"
        if late:
            state, reason = "failed", f"timeout (limit {self._timeout:g} s)"
        seconds = 0.0 if start is None else time.monotonic() - start.time
        return TrialResult(*key, state, {}, reason, seconds)

    def _kill_late(self) -> None:
        """Kill the workers whose trials have had their time."""
        if self._timeout is None:
            return
        limit = time.monotonic() - self._timeout
        for key, start in self._started.items():
            if key in self._running and key not in self._late and start.time < limit:
                self._late.add(key)
                self._kill(start)

    def _kill(self, start: Start) -> None:
        """Kill a worker and its children, on whichever node they are."""
        if start.node == self._node:
            kill_group(start.pid)
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(start.node, soft=True)
        self._kill_there.options(scheduling_strategy=there).remote(start.pid)


def _ray() -> Any:
    """Ray, quiet and local unless told otherwise.

    Raises:
        UserError: it is not installed.
    """
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if not os.environ.get("RAY_ADDRESS"):
        # The name is misleading: 0 is what makes a local cluster of any system stay on the loopback
        # interface. It is read when Ray is imported.
        settings["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UserError(
            "executor ray: Ray is not installed", hint="pip install 'automl-cli[ray]'"
        ) from error
    # Ray prints on standard output, where results of ours go, that a worker died; we tell it, too.
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
    return ray


class Mailbox:
    """An actor that holds what workers send until the driver fetches it."""

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._any = asyncio.Event()

    async def put(self, message: str) -> None:
        """Keep a message."""
        self._messages.append(message)
        self._any.set()

    async def wait(self) -> None:
        """Return when there is a message."""
        await self._any.wait()

    async def drain(self) -> list[str]:
        """All messages, in the order in which they came; then there are none."""
        found, self._messages = self._messages, []
        self._any.clear()
        return found


# In the workers. ----------------------------------------------------------------------------------

_prepared: list[Any] = []  # what this process was prepared for


def _get_ready(setting: Setting, limits: Limits, preload: Sequence[str]) -> None:
    """Prepare this process, unless it is."""
    import importlib

    if _prepared == [setting, limits]:
        return
    os.setpgid(0, 0)  # it is killed with its children
    watch(os.getppid())  # Ray's own process on this node
    for module in preload:
        importlib.import_module(module)
    prepare(setting, limits)
    _prepared[:] = [setting, limits]


def _attempt(
    text: str, setting: Setting, limits: Limits, preload: Sequence[str], mailbox: Any
) -> str:
    """Run the attempt that `request_text` describes; returns the result as JSON text."""
    import ray

    _get_ready(setting, limits, preload)
    request = read_request(text)

    def send(*message: Any) -> None:
        ray.get(mailbox.put.remote(json.dumps(message)))  # it is there before the result is

    node = ray.get_runtime_context().get_node_id()
    send("start", request.trial_id, request.attempt, os.getpid(), node)
    return answer(request, lambda *told: send("report", request.trial_id, request.attempt, *told))
