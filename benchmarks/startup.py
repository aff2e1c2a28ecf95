"""Start-up of the command line, against `python -c "import click"` in the same environment.

`show` reads its recipe with PyYAML and without click; it is also set against importing both.

Wall and CPU milliseconds (user and system) of whole processes, alternating, with byte code and
files cached as they are from a user's second call on. That neither command loads torch, mlflow
or optuna is checked with `python -X importtime`.
"""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from harness import WORK, Row, alternate, overhead, python

HEAVY = ("torch", "mlflow", "optuna")
COMMANDS = (["--help"], ["show", "mobilenet/s3"])
# Python writes and finds byte code here, whatever the caller has forbidden.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(WORK / "bytecode")
}


def measure(quick: bool) -> list[Row]:
    """Three rows of wall time and three of CPU time.

    Raises:
        AssertionError: a command failed, or loaded what it must not.
    """
    interpreter = python()
    automl = [interpreter, str(Path(interpreter).with_name("automl"))]
    for arguments in COMMANDS:
        check_imports([interpreter, "-X", "importtime", *automl[1:], *arguments])
    rows = []
    for index, clock in enumerate(("wall", "CPU")):
        processes = [
            *([*automl, *arguments] for arguments in COMMANDS),
            [interpreter, "-c", "import click"],
            [interpreter, "-c", "import click, yaml"],
        ]
        found = alternate(7 if quick else 20, *(partial(_seconds, p, index) for p in processes))
        help_, show, click, yaml = (seconds * 1000 for seconds in found)
        rows += [
            overhead(f"automl --help, against import click, {clock}", help_, click, "ms", 1.5),
            overhead(f"automl show, against import click, {clock}", show, click, "ms", 1.5),
            overhead(f"automl show, against import click, yaml, {clock}", show, yaml, "ms", None),
        ]
    return rows


def check_imports(command: list[str]) -> None:
    """Run a command under `-X importtime` and look at everything it loaded."""
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "automl_cli" in loaded, "this is not the output of -X importtime"
    found = sorted(loaded.intersection(HEAVY))
    assert not found, f"{' '.join(command)} loads {', '.join(found)}"


def _seconds(command: list[str], clock: int) -> float:
    """Seconds of a process: wall for clock 0, CPU for 1."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    words = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words.decode()
    return (time.perf_counter() - start, usage.ru_utime + usage.ru_stime)[clock]
