"""The loop of a weight-sharing search: epochs of steps, records of them, a state to resume from.

Iterating runs it; between any two steps, `state_dict` is a state from which another process goes
on bit for bit (on a CPU).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import torch

from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.feed import Feed
from automl_algorithms.weight_sharing.search import (
    Diverged,
    Moment,
    SupernetSearch,
    Task,
    mean_entropy,
)
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import AutomlError

OnNan = Literal["stop", "skip"]
MOST_SKIPPED = 20
"""Steps in a row: then the weights themselves are not finite, and more steps are in vain."""


class Record(NamedTuple):
    """What happened since the last record.

    Args:
        at: the moment of the last step of it.
        seconds: spent on the search so far, by all processes.
        metrics: means over its steps, and `entropy` of the policy (`search.mean_entropy`); in the
            last record also what the search `found`.
        policy: after it.
    """

    at: Moment
    seconds: float
    metrics: dict[str, float]
    policy: Policy


class Loop:
    """A weight-sharing search from the first step to the last.

    Args:
        net: of a stepwise program, whose `epochs`, if it has any, become those of the search:
            schedules last as long as it does.
        search: not yet set up.
        epochs: the program's if None.
        on_nan: what becomes of a step whose loss or gradient is not finite: it is left out, or
            the search stops.
        records: how many to make, besides one at the end of each epoch.

    Attributes:
        skipped: steps that were left out.
        after_step: called after each step, and after its record was heard of: there the state may
            be saved.
    """

    def __init__(
        self,
        net: Supernet,
        search: SupernetSearch,
        task: Task,
        *,
        epochs: int | None = None,
        on_nan: OnNan = "stop",
        records: int = 200,
    ) -> None:
        program = net.program
        self.epochs = int(epochs if epochs is not None else getattr(program, "epochs", 1))
        if getattr(program, "epochs", None) is not None:
            program.epochs = self.epochs
        self.net, self.search, self.task, self.on_nan = net, search, task, on_nan
        self.feed = Feed(program)
        self.epoch_steps = self.feed.epoch_steps()
        self.steps = self.epochs * self.epoch_steps
        self._every = max(1, self.steps // records)
        self.skipped = self._in_a_row = 0
        self._before = 0.0  # seconds
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self.after_step: Callable[[], None] = lambda: None
        search.setup(net, task)

    def __iter__(self) -> Iterator[Record]:
        """Run, or go on, to the end.

        Raises:
            Diverged: with `stop`, and after `MOST_SKIPPED` steps in a row that were left out.
        """
        began = time.perf_counter() - self._before
        while self.feed.epoch < self.epochs:
            epoch, step = self.feed.epoch, self.feed.steps
            for batch in self.feed.train():
                at = self._moment(epoch, step)
                if at.step == 0:
                    self.net.check(batch)
                self._step(batch, at)
                step += 1
                self._before = time.perf_counter() - began
                # The last step's record also has what is done at the end of the epoch.
                if step % self._every == 0 and step < self.epoch_steps:
                    yield self._record(at)
                self.after_step()
            at = self._moment(epoch, step - 1)
            self._add(self.search.end_epoch(self.feed.valid, at))
            self._before = time.perf_counter() - began
            yield self._record(at)

    def _moment(self, epoch: int, step: int) -> Moment:
        return Moment(epoch, epoch * self.epoch_steps + step, self.epochs, self.steps)

    def _step(self, batch: Any, at: Moment) -> None:
        try:
            self._add(self.search.step(batch, self.feed.valid, at))
            self._in_a_row = 0
        except Diverged as error:
            self.skipped += 1
            self._in_a_row += 1
            if self.on_nan == "stop" or self._in_a_row >= MOST_SKIPPED:
                raise Diverged(f"step {at.step}: {error}") from error

    def _add(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def _record(self, at: Moment) -> Record:
        metrics = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        if self.skipped:
            metrics["skipped"] = float(self.skipped)
        policy = self.search.policy()
        metrics["entropy"] = mean_entropy(policy)
        if at.step + 1 == self.steps:
            metrics |= self.search.found()
        return Record(at, self._before, metrics, policy)

    def state_dict(self) -> dict[str, Any]:
        """Between steps: tensors, numbers, plain data, readable by `torch.load(weights_only)`."""
        program = self.net.program
        return {
            "steps": (self.epochs, self.epoch_steps),
            "feed": self.feed.state_dict(),
            "model": program.model.state_dict(),
            "optimizer": _optimizers(program).state_dict(),
            "search": self.search.state_dict(),
            "random": torch.get_rng_state(),
            "seconds": self._before,
            "skipped": (self.skipped, self._in_a_row),
            "means": (dict(self._sums), dict(self._counts)),  # of the record that is to come
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; called before the loop is run.

        Raises:
            AutomlError: it is of a search of another length.
        """
        if tuple(state["steps"]) != (self.epochs, self.epoch_steps):
            then, now = state["steps"], (self.epochs, self.epoch_steps)
            raise AutomlError(
                f"the state is of {then[0]} epochs of {then[1]} steps, not {now[0]} of {now[1]}"
            )
        program = self.net.program
        program.model.load_state_dict(state["model"])
        _optimizers(program).load_state_dict(state["optimizer"])
        self.search.load_state_dict(state["search"])
        self.feed.load_state_dict(state["feed"])
        self._before = state["seconds"]
        self.skipped, self._in_a_row = state["skipped"]
        sums, counts = state["means"]
        self._sums, self._counts = dict(sums), dict(counts)
        torch.set_rng_state(state["random"])  # the feed has gone through batches


def _optimizers(program: Any) -> Any:
    """What has the state of its optimiser, of all kinds where there are several."""
    several = getattr(program, "optimizers", None)
    return several if hasattr(several, "load_state_dict") else program.optimizer
