"""The state of a supernet's training as a file, from which the same study goes on."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from automl_spaces.errors import AutomlError

if TYPE_CHECKING:
    from automl_algorithms.weight_sharing.loop import Loop
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.peak_memory import PeakMemory

_SHARE: Final = 0.02  # of the time, at most, for saving
_SAVE_EVERY: Final = 1.0  # seconds, at least: a small network need not keep a disk busy
_OF: Final = ("space_hash", "program_hash", "algorithm", "options", "objectives", "seed")


class Pace:
    """Saves now and then: after the first step, and so that it takes a small share of the time."""

    def __init__(self, save: Callable[[], object]) -> None:
        self._save, self._due = save, 0.0

    def step(self) -> None:
        """Save if it is time."""
        began = time.monotonic()
        if began >= self._due:
            self._save()
            now = time.monotonic()
            self._due = now + max(_SAVE_EVERY, (now - began) / _SHARE)


class SharedState:
    """The file of a study's supernet.

    Args:
        study: as it is run now.
        loop: whose state is kept.
        peak: of the memory, over all processes.
    """

    def __init__(self, path: Path, study: StudyRow, loop: Loop, peak: PeakMemory) -> None:
        self.path, self.loop, self.peak = path, loop, peak
        self._of = {key: getattr(study, key) for key in _OF}

    def save(
        self, loop: Any = None, wanted: tuple[int, int] | None = None, records: Any = None
    ) -> Any:
        """Write beside the place and rename: a kill at any moment leaves a whole file.

        Args:
            loop: its state, the present one if None.
            wanted: how many records of both kinds there were to be, once they are known.
            records: what came out of the search.

        Returns:
            The state of the loop.
        """
        loop = self.loop.state_dict() if loop is None else loop
        state = {
            "of": self._of, "loop": loop, "wanted": wanted, "records": records,
            "peak": self.peak.mb(),
        }  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        try:
            torch.save(state, temporary)
            temporary.replace(self.path)
        except (OSError, RuntimeError) as error:
            raise AutomlError(
                f"the state of the supernet cannot be written to {self.path}: {_first(error)}",
                hint="free some space; the same command goes on from the last state",
            ) from error
        return loop

    def restore(self, wanted: tuple[int, int]) -> Any:
        """Bring the loop to where the file says that it stood; without a file it stays.

        Returns:
            The records, if as many as wanted are known: then the loop is left alone.

        Raises:
            AutomlError: the file cannot be read, or is of another search.
        """
        if not self.path.exists():
            return None
        state = self._load()
        length = self.loop.epochs, self.loop.epoch_steps
        if state["of"] != self._of or tuple(state["loop"]["steps"]) != length:
            raise AutomlError(
                f"{self.path} is of a supernet of another program, space, algorithm or length",
                hint="--new starts another study; without that file this one begins anew",
            )
        if state["wanted"] == wanted:
            return state["records"]
        self.loop.load_state_dict(state["loop"])
        self.peak.known = state.get("peak") or 0.0
        return None

    def _load(self) -> Any:
        try:
            state = torch.load(self.path, weights_only=True)
            if {"of", "loop", "wanted", "records"} <= state.keys():
                return state
            reason = "it holds something else"
        except (
            OSError, EOFError, RuntimeError, ValueError, LookupError, AttributeError,
            pickle.UnpicklingError,
        ) as error:  # fmt: skip
            reason = _first(error)
        raise AutomlError(
            f"the state of the supernet, {self.path}, cannot be read: {reason}",
            hint="without that file the same command trains the supernet anew",
        )

    def blamed(self, step: int, error: Exception) -> AutomlError:
        """An error of the program's in a line, its traceback in a file beside the state."""
        path = self.path.with_name("error.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
        return AutomlError(
            f"the training of the supernet failed at step {step}: "
            f"{type(error).__name__}: {error}{notes}",
            hint=f"details in {path}; the same command goes on from the last state",
        )


def _first(error: Exception) -> str:
    """The first line of its message, without advice for programmers."""
    return str(error).partition("\n")[0][:200] or type(error).__name__
