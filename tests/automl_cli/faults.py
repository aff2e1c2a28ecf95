"""Programs that go wrong in every way a trial can, and what the tests look at afterwards."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_cli.trials import TrialRequest
from automl_spaces import registry
from automl_spaces.registry import symbolize
from automl_spaces.trial import Pruned, Trial

NAME = "tests.automl_cli.faults"
HERE = Trial()
ROOT = str(Path(__file__).parents[2])


@symbolize
def constant(value: float = 0.5) -> float:
    """Return the value."""
    return value


@symbolize
def nap(seconds: float = 0.05) -> float:
    """Sleep, then return the seconds."""
    time.sleep(seconds)
    return seconds


@symbolize
def writer(file: str) -> float:
    """Says in a file that it ran."""
    Path(file).touch()
    return 0.5


@symbolize
def reporter(steps: int = 3, prune_at: int = -1, *, trial: Trial = HERE) -> dict[str, float]:
    """Report every step; end early at `prune_at`."""
    for step in range(steps):
        trial.report(step, reward=float(step), loss=1.0 / (step + 1))
        if step == prune_at:
            raise Pruned("the median is better")
    return {"reward": float(steps), "pid": float(os.getpid())}


@symbolize
def slow_reporter(*, trial: Trial = HERE) -> float:
    """Report at once, then go on for long."""
    trial.report(1, reward=0.25)
    time.sleep(100)
    return 0.0


@symbolize
def returner(what: str) -> Any:
    """Return something that is no good."""
    return {"nan": float("nan"), "text": "0.9", "lambda": lambda: None, "none": None}[what]


@symbolize
def raiser(text: str = "bad luck") -> float:
    """Raise."""
    raise ValueError(text)


@symbolize
def leaver(code: int = 3) -> float:
    """Leave the process without a word."""
    os._exit(code)


@symbolize
def quitter() -> float:
    """Call sys.exit, as scripts do."""
    sys.exit(4)


@symbolize
def suicide(signal_number: int = signal.SIGKILL) -> float:
    """Die by a signal."""
    os.kill(os.getpid(), signal_number)
    time.sleep(10)
    return 0.0


@symbolize
def segfault() -> float:
    """Read address 0."""
    print("about to crash")  # noqa: T201
    ctypes.string_at(0)
    return 0.0


@symbolize
def parent(file: str, seconds: float = 100.0, stubborn: bool = False) -> float:
    """Start a child process, write both process ids into a file, and go on."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "1000"])
    Path(f"{file}.part").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    Path(f"{file}.part").rename(file)
    time.sleep(seconds)
    return 0.0


@symbolize
def hungry(gigabytes: float = 4.0) -> float:
    """Ask for much memory in pieces."""
    pieces = [bytearray(10**7) for _ in range(int(gigabytes * 100))]
    return float(len(pieces))


@symbolize
def talker(text: str = "hello") -> float:
    """Print from Python, from a child and to standard error."""
    print(text)  # noqa: T201
    print(text.upper(), file=sys.stderr)  # noqa: T201
    subprocess.run(["echo", f"{text} from a child"], check=True)
    return 1.0


@symbolize
def keeper(*, trial: Trial = HERE) -> float:
    """Count, in the checkpoint folder, how often it was run."""
    file = trial.checkpoint / "count"
    count = 1 + (int(file.read_text("utf-8")) if file.exists() else 0)
    file.write_text(str(count), "utf-8")
    return float(count)


@symbolize
def environment(*, trial: Trial = HERE) -> dict[str, float]:
    """Tell what a worker gives its trials."""
    import random

    return {
        "reward": 0.0,
        "random": random.random(),
        "seed": float(trial.seed),
        "budget": float(trial.budget or 0.0),
        "threads": float(os.environ.get("OMP_NUM_THREADS", "0")),
        "group": float(os.getpgid(0) == os.getpid()),
        "shipped": float("Classifier" in registry.names()),
        "rate": float(trial.params["rate"]),
    }


def request(program: Any, folder: Path, trial_id: int = 1, **fields: Any) -> TrialRequest:
    """A first attempt at a program."""
    values: dict[str, Any] = {
        "attempt": 1,
        "decisions": {},
        "seed": trial_id,
        "budget": None,
    } | fields
    return TrialRequest(trial_id=trial_id, program=program, folder=folder / str(trial_id), **values)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for something to become true; False when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
