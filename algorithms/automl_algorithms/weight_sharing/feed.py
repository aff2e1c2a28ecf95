"""The batches of a search: epochs of the training part, an endless stream of validation ones.

The position in both is part of a search's state, and found again in another process: by the
program's `seek` if it has one, else by going through the batches of the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from automl_spaces.errors import UserError


class Feed:
    """The batches of a stepwise program, with a position.

    Attributes:
        epoch: passes over the training part that are complete.
        steps: batches of the next pass that were given.
    """

    def __init__(self, program: Any) -> None:
        self.program = program
        self.epoch = self.steps = 0
        self._passes = self._given = 0  # over the validation part: begun; batches of the last
        self._valid: Iterator[Any] = iter(())
        self._train: Iterator[Any] | None = None  # an epoch that was begun in another process

    def train(self) -> Iterator[Any]:
        """What is left of an epoch; the epoch is complete when it ends."""
        batches, self._train = self._train or self.program.train_batches(), None
        for batch in batches:
            self.steps += 1
            yield batch
        if not self.steps:
            raise UserError("train_batches() gives no batch", path="program")
        self.epoch, self.steps = self.epoch + 1, 0

    def valid(self) -> Any:
        """The next batch of the validation part, for ever.

        Raises:
            UserError: the validation part is empty.
        """
        batch = next(self._valid, None)
        if batch is None:
            self._valid = iter(self.program.valid_batches())
            self._passes, self._given = self._passes + 1, 0
            batch = next(self._valid, None)
            if batch is None:
                raise UserError("valid_batches() gives no batch", path="program")
        self._given += 1
        return batch

    def epoch_steps(self) -> int:
        """The number of batches in an epoch: the program's `steps`, else they are counted."""
        declared = getattr(self.program, "steps", None)
        if declared is not None:
            return int(declared)
        return sum(1 for _ in self.program.train_batches())

    def state_dict(self) -> dict[str, int]:
        """The position."""
        return {
            "epoch": self.epoch,
            "steps": self.steps,
            "passes": self._passes,
            "given": self._given,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to a position; the program has given no batch before."""
        self.epoch, self.steps = state["epoch"], state["steps"]
        self._passes, self._given = state["passes"], state["given"]
        before = max(0, self._passes - 1)
        if hasattr(self.program, "seek"):
            self.program.seek(self.epoch, before)
        else:
            for _ in range(self.epoch):
                deque(self.program.train_batches(), maxlen=0)
            for _ in range(before):
                deque(self.program.valid_batches(), maxlen=0)
        if self._passes:
            self._valid = iter(self.program.valid_batches())
            deque(islice(self._valid, self._given), maxlen=0)
        if self.steps:
            self._train = iter(self.program.train_batches())
            deque(islice(self._train, self.steps), maxlen=0)


def joined(program: Any, batches: Sequence[Any]) -> Sequence[Any]:
    """Validation batches as one, if the program can `join` them; else as they are.

    One large batch takes less time than some small ones, and its statistics are better.
    """
    return [program.join(batches)] if hasattr(program, "join") else batches
