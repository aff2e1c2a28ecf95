"""What is seen of a supernet that is trained, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from automl_cli.display_supernet import SupernetView
from automl_spaces.choices import oneof
from automl_spaces.space import Space
from tests.automl_cli.command_line import Project
from tests.automl_cli.supernets import toy, write_recipe


class Search:
    """The counters of a search of two epochs of ten steps."""

    def __init__(self) -> None:
        self.feed = SimpleNamespace(epoch=0, steps=3)
        self.loop = SimpleNamespace(steps=20, epochs=2, feed=self.feed)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.feed.epoch * 10 + self.feed.steps


def view(decisions: int) -> tuple[SupernetView, Any]:
    """Of a search with so many decisions, and the counters that it reads."""
    space = Space.compile({f"op{i}": oneof(["skip", "conv"]) for i in range(decisions)})
    search: Any = Search()
    return SupernetView(space, search), search.feed


def record(chances: list[float]) -> Any:
    """Of a policy that gives the first candidate of each decision such a probability."""
    policy = {i: [p, 1 - p] for i, p in enumerate(chances)}
    return SimpleNamespace(metrics={"loss": 1.23456, "reward": 0.5}, policy=policy)


def shown(seen: SupernetView, width: int = 80) -> str:
    """As a terminal shows it."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(seen.render())
    return capture.get()


def test_few_decisions_are_all_shown() -> None:
    """With the preferred candidate, its probability and the entropy, the most decided first."""
    seen, feed = view(2)
    assert "3/20 steps" in shown(seen)
    seen.hear(record([0.5, 0.1]))
    feed.epoch, feed.steps = 1, 2
    text = shown(seen)
    assert "12/20 steps" in text
    assert "epoch 2/2" in text
    assert "left" in text
    assert "loss 1.235  reward 0.5" in text
    lines = [line.split() for line in text.splitlines()[-2:]]
    assert lines == [["op1", "conv", "0.900", "0.469"], ["op0", "skip", "0.500", "1.000"]]


def test_of_many_decisions_both_ends_are_shown() -> None:
    """Six of a hundred; no line is longer than the terminal."""
    seen, _ = view(100)
    seen.hear(record([0.5 + i / 250 for i in range(100)]))
    text = shown(seen, 60)
    names = [line.split()[0] for line in text.splitlines() if " op" in line]
    assert names == ["op99", "op98", "op97", "op2", "op1", "op0"]
    assert all(len(line) <= 60 for line in text.splitlines())


def test_a_policy_that_learns_nothing_needs_no_table() -> None:
    """Random search says its loss; and when all is trained, what comes next."""
    seen, feed = view(2)
    seen.hear(record([0.5, 0.5]))
    assert "op0" not in shown(seen)
    feed.epoch, feed.steps = 2, 0
    assert "deriving records" in shown(seen)


def test_one_line() -> None:
    """Where there is no terminal."""
    seen, feed = view(2)
    assert seen.line() == "supernet: step 3/20, epoch 1/2"
    seen.hear(record([0.5, 0.5]))
    feed.steps = 9
    assert seen.line().startswith("supernet: step 9/20, epoch 1/2, loss 1.235, reward 0.5; ")


@pytest.mark.slow
def test_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bar and table while the supernet is trained, then the trials, then the line about both."""
    project = Project(tmp_path, monkeypatch, capsys)
    write_recipe(project, program=toy(pause=0.05, steps=30), algorithm="{name: tunas, lr: 1.0}")
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "automl_cli", "run", "recipe.yaml"]
    path = os.pathsep.join(p for p in sys.path if p)
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": path, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    text = b""
    while True:
        try:
            text += os.read(screen, 65536)
        except OSError:  # the other end is closed
            break
    os.close(screen)
    assert process.wait(60) == 0
    seen = text.decode()
    assert "/60 steps" in seen
    assert "probability" in seen
    assert "1 trials" in seen or "/2 trials" in seen
    assert "supernet: 2 epochs, " in seen
    assert "with shared weights" in seen
