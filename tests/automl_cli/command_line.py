"""A project folder to run the command line in: in this process, or as one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from automl_cli.__main__ import main
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import TrialRow
from automl_spaces.errors import UserError

PROGRAM = '''"""What the recipes of the tests name."""

import os
import signal
import time
from pathlib import Path


def score(lr: float = 0.1, depth: int = 2, kind: str = "a", blocks: list[int] = [1, 2]) -> float:
    """Best at lr 1 and depth 4."""
    return lr + depth


def slow(x: int = 3, y: int = 3, seconds: float = 0.03, *, trial) -> dict[str, float]:
    """Leave a line when it starts, and take some time."""
    with Path("started.txt").open("a") as file:
        file.write(f"{trial.id}\\n")
    time.sleep(seconds)
    return {"score": -((x - 7) ** 2) - (y - 2) ** 2}


def curve(x: int = 3, pause: float = 0.0, *, trial) -> dict[str, float]:
    """Rises step by step; its state is a file in the checkpoint, and counts what was trained."""
    file = trial.checkpoint / "steps.txt"
    steps = file.read_text().split() if file.exists() else []
    began = len(steps)
    while len(steps) < (trial.budget or 9):
        steps.append(str(x))
        file.with_suffix(".tmp").write_text(" ".join(steps))
        file.with_suffix(".tmp").replace(file)
        with Path("steps.txt").open("a") as log:
            log.write(f"{trial.id}\\n")
        trial.report(len(steps), score=float(len(steps)))
        time.sleep(pause)
    score = sum(1 - ((int(s) - 7) / 10) ** 2 for s in steps)
    return {"score": score, "began": float(began)}


def eager(x: int = 3, *, trial) -> dict[str, float]:
    """Reports, but never asks for its budget."""
    for step in range(1, 10):
        trial.report(step, score=step * (1 - ((x - 7) / 10) ** 2))
    return {"score": 9.0}


def fault(how: str = "fine", x: int = 0, *, trial) -> object:
    """Go wrong in one of many ways."""
    if how == "raises":
        raise ValueError("bad luck")
    if how == "hangs":
        time.sleep(100)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exits":
        os._exit(3)
    if how == "quits":
        raise SystemExit(4)
    if how == "hungry":
        return float(len(bytearray(4 * 10**9)))
    odd = {"nan": float("nan"), "inf": float("inf"), "text": "0.9", "none": None, "list": [1.0]}
    return odd[how] if how in odd else 1.0


def noise(x: int = 3, *, trial) -> dict[str, float]:
    """A number that only the seed of the trial decides."""
    import random

    return {"score": x + random.Random(trial.seed).random(), "more": random.random()}
'''
RECIPE: Mapping[str, str] = {
    "imports": "[prog]",
    "program": "!prog.score {lr: 0.1, depth: 2}",
    "space": "[space.yaml]",
    "objective": "{maximize: score}",
    "algorithm": "random",
    "budget": "{trials: 4}",
    "run": "{executor: inline}",
    "tracking": "{enabled: false}",
}
SPACE = """\
- at: lr
  replace: !floatv [0.001, 1.0, log]
- at: depth
  replace: !intv [1, 4]
"""


class Outcome(NamedTuple):
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Project:
    """A folder with a program, an overlay and a recipe, which is the working folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any = None) -> None:
        self.folder, self._capsys = folder, capsys
        self.write("prog.py", PROGRAM)
        self.write("space.yaml", SPACE)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [*sys.path])
        for module in ("prog", "broken", "plugin", "train"):
            monkeypatch.delitem(sys.modules, module, raising=False)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def recipe(self, name: str = "recipe.yaml", **keys: str | None) -> Path:
        """Write a recipe: the usual one with other keys; None takes one away."""
        return self.write(name, as_text({**RECIPE, **keys}))

    def __call__(self, *arguments: str) -> Outcome:
        """Run a command in this process."""
        self._capsys.readouterr()
        code = main(list(arguments))
        return Outcome(code, *self._capsys.readouterr())

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "automl_cli", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, *arguments: str) -> Outcome:
        """Run a command as a process of its own, to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)

    def trials(self) -> list[TrialRow]:
        """All trials in the ledger, the finished ones first and in order; there may be none yet."""
        try:
            with Ledger(self.folder / ".automl" / "ledger.db", read_only=True) as ledger:
                return [row for study in ledger.studies() for row in ledger.trials(study.id)]
        except UserError:
            return []

    def finished(self) -> dict[int, TrialRow]:
        """The finished trials by id."""
        return {row.id: row for row in self.trials() if row.finished is not None}

    def states(self) -> dict[str, str]:
        """The states of the studies by name."""
        with Ledger(self.folder / ".automl" / "ledger.db", read_only=True) as ledger:
            return {study.name: study.state for study in ledger.studies()}

    def wait_for(self, count: int, process: subprocess.Popen[str], seconds: float = 30.0) -> None:
        """Until so many trials have finished, or the process has ended."""
        deadline = time.monotonic() + seconds
        while len(self.finished()) < count and process.poll() is None:
            assert time.monotonic() < deadline, "no trial finishes"
            time.sleep(0.005)

    def processes(self) -> list[int]:
        """The processes that work in this folder, this one aside."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if (entry / "cwd").readlink() == self.folder:
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def files(self) -> set[str]:
        """The files of the project, without Python's caches."""
        names = {str(p.relative_to(self.folder)) for p in self.folder.rglob("*")}
        return {n for n in names if "__pycache__" not in n}


def as_text(keys: Mapping[str, str | None]) -> str:
    """A recipe, one key a line; None takes one away."""
    return "".join(f"{key}: {value}\n" for key, value in keys.items() if value is not None)


def decisions(rows: Mapping[int, TrialRow]) -> dict[int, Any]:
    """What was decided in each trial, and what came of it; without the time it took."""
    found = {}
    for id, row in sorted(rows.items()):
        metrics = {k: v for k, v in json.loads(row.metrics).items() if k != "seconds"}
        found[id] = (json.loads(row.decisions), row.state, metrics)
    return found
