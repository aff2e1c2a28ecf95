"""The state of a supernet's training: at every step, as a file, and not too often."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.loop import Loop, Record
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_cli import shared_state
from automl_cli.peak_memory import PeakMemory
from automl_cli.shared_state import Pace, SharedState
from automl_spaces.choices import oneof
from automl_spaces.errors import AutomlError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.automl_cli.supernets import Stack, Toy

STUDY: Any = SimpleNamespace(
    space_hash="s", program_hash="p", algorithm="tunas", options="{}", objectives="[]", seed=3
)
toy, stack = symbolize(Toy), symbolize(Stack)
relu, tanh = symbolize(nn.ReLU), symbolize(nn.Tanh)


def make_loop(name: str = "tunas", epochs: int = 2) -> Loop:
    """Two epochs of four steps, a record after every other step."""
    choice = oneof([relu(), tanh()])
    space = Space(toy(model=stack(first=choice, second=tanh()), steps=4))
    task = Task(Objective("error", "minimize"), seed=3)
    return Loop(lower(space, seed=3), catalogue.create(name), task, epochs=epochs, records=4)


def said(record: Record) -> tuple[Any, ...]:
    """All but the seconds."""
    return record.at, record.metrics, record.policy


@pytest.mark.parametrize("name", ["rsps", "tunas"])
def test_between_any_two_steps_there_is_a_state(name: str, tmp_path: Path) -> None:
    """From each of them another loop makes the records that are missing, bit for bit."""
    whole = make_loop(name)
    made: list[Record] = []
    known: list[int] = []
    states = []

    def save() -> None:
        path = tmp_path / str(len(states))
        states.append(path)
        known.append(len(made))
        torch.save(whole.state_dict(), path)

    whole.after_step = save
    for record in whole:
        made = [*made, record]
    assert len(states) == 8
    assert len(made) == 4
    for path, before in zip(states, known, strict=True):
        again = make_loop(name)
        again.load_state_dict(torch.load(path, weights_only=True))
        assert [said(r) for r in again] == [said(r) for r in made[before:]]
        for weight, other in zip(
            whole.net.model.parameters(), again.net.model.parameters(), strict=True
        ):
            assert torch.equal(weight, other)


def test_a_file_and_back(tmp_path: Path) -> None:
    """The loop stands where it stood, and without a file where it began."""
    loop = make_loop()
    state = SharedState(tmp_path / "new" / "state.pt", STUDY, loop, PeakMemory())
    assert state.restore((1, 0)) is None
    assert (loop.feed.epoch, loop.feed.steps) == (0, 0)
    next(iter(loop))
    state.save()
    other = make_loop()
    assert SharedState(state.path, STUDY, other, PeakMemory()).restore((1, 0)) is None
    assert (other.feed.epoch, other.feed.steps) == (0, 2)


def test_records_are_taken_if_they_are_as_many_as_wanted(tmp_path: Path) -> None:
    """Otherwise the loop goes back to where they were derived from."""
    loop = make_loop()
    state = SharedState(tmp_path / "state.pt", STUDY, loop, PeakMemory())
    next(iter(loop))
    state.save(loop.state_dict(), (1, 0), {"derived": ["x"]})
    other = make_loop()
    assert SharedState(state.path, STUDY, other, PeakMemory()).restore((1, 0)) == {"derived": ["x"]}
    assert other.feed.steps == 0
    assert SharedState(state.path, STUDY, other, PeakMemory()).restore((2, 0)) is None
    assert other.feed.steps == 2


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    """Another study, another length, or no state at all."""
    path = tmp_path / "state.pt"
    SharedState(path, STUDY, make_loop(), PeakMemory()).save()
    other: Any = SimpleNamespace(**{**vars(STUDY), "options": '{"lr": 1}'})
    for study, loop in ((other, make_loop()), (STUDY, make_loop(epochs=3))):
        with pytest.raises(AutomlError, match="is of a supernet of another program"):
            SharedState(path, study, loop, PeakMemory()).restore((1, 0))
    torch.save({"loop": 1}, path)
    with pytest.raises(AutomlError, match="it holds something else"):
        SharedState(path, STUDY, make_loop(), PeakMemory()).restore((1, 0))


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message; the last state stays whole."""
    state = SharedState(tmp_path / "state.pt", STUDY, make_loop(), PeakMemory())
    state.save()
    before = state.path.read_bytes()

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(AutomlError, match=r"cannot be written .*No space left"):
        state.save()
    assert state.path.read_bytes() == before


@pytest.mark.parametrize(
    ("takes", "least"), [(0.0, shared_state._SAVE_EVERY), (0.5, 25.0), (4.0, 200.0)]
)
def test_saving_takes_a_small_share(
    takes: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and then after fifty times as long as it took, but a second at least."""
    clock, saved = [100.0], list[float]()
    monkeypatch.setattr(shared_state.time, "monotonic", lambda: clock[0])

    def save() -> None:
        saved.append(clock[0])
        clock[0] += takes

    pace = Pace(save)
    while clock[0] < 900:
        pace.step()
        clock[0] += 0.25
    assert saved[0] == 100.0
    gaps = [later - former - takes for former, later in itertools.pairwise(saved)]
    assert all(least <= gap <= least + 0.25 for gap in gaps)
