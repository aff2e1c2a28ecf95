"""Small stepwise programs for the command line: one that works, and one for each way not to.

A recipe names them with `imports: [tests.automl_cli.supernets]`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from automl_cli.ledger_schema import SupernetRow
from automl_cli.peak_memory import PEAK
from automl_spaces.trial import Trial
from tests.automl_cli.command_line import Project

Batch = tuple[Tensor, Tensor]


def told(row: SupernetRow) -> dict[str, float]:
    """The metrics of a record but for the memory, which is the process's."""
    metrics = json.loads(row.metrics)
    metrics.pop(PEAK, None)
    return metrics


class Toy:
    """Regression on noise with dropout: batches, noise and weights follow from the seed.

    Args:
        pause: seconds that each step of a supernet takes longer.
        bad: the step of a supernet whose batch is not finite, and `bad_for - 1` after it.
        fails: the one after which it raises an error.
        dies: the one after which it ends the process, once.
    """

    def __init__(
        self,
        model: nn.Module,
        epochs: int = 2,
        steps: int = 12,
        lr: float = 0.05,
        pause: float = 0.0,
        bad: int = -1,
        bad_for: int = 1,
        fails: int = -1,
        dies: int = -1,
        seed: int | None = None,
    ) -> None:
        self.model, self.epochs, self.steps, self.lr, self.seed = model, epochs, steps, lr, seed
        self.pause, self.bad, self.fails, self.dies = pause, range(bad, bad + bad_for), fails, dies
        self.epoch = self.validations = 0

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """With a momentum, which is part of the state."""
        return torch.optim.SGD(self.model.parameters(), self.lr, momentum=0.5)

    def _batch(self, generator: torch.Generator) -> Batch:
        x = torch.randn(16, 4, generator=generator)
        return x, x.sin().sum(1, keepdim=True)

    def train_batches(self) -> Iterator[Batch]:
        """An epoch; the next at each call."""
        self.epoch += 1
        generator = torch.Generator().manual_seed(1000 * (self.seed or 0) + self.epoch)
        torch.manual_seed(self.epoch)
        for number in range((self.epoch - 1) * self.steps, self.epoch * self.steps):
            x, y = self._batch(generator)
            yield (x * torch.nan if number in self.bad else x), y
            time.sleep(self.pause)  # not in the first batch, with which a supernet is tried out
            if number == self.fails:
                raise ValueError("no more batches")
            if number == self.dies and not Path("died").exists():
                Path("died").touch()
                os._exit(9)

    def valid_batches(self) -> Iterator[Batch]:
        """Two batches of an order of their own."""
        generator = torch.Generator().manual_seed(77 + self.validations)
        self.validations += 1
        for _ in range(2):
            yield self._batch(generator)

    def seek(self, epoch: int, validations: int) -> None:
        """Passes that count as begun."""
        self.epoch, self.validations = epoch, validations

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error."""
        x, y = batch
        out: Tensor = self.model(dropout(x, 0.1, self.model.training))
        return ((out - y) ** 2).mean()

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """The error on batches, always the same ones if none are given."""
        self.model.eval()
        generator = torch.Generator().manual_seed(5)
        given = batches or [self._batch(generator) for _ in range(4)]
        errors = [float(self.loss(batch)) for batch in given]
        return {"error": sum(errors) / len(errors)}

    def __call__(self, trial: Trial) -> dict[str, float]:
        """Train alone; nothing goes wrong with that."""
        self.bad, self.fails, self.dies = range(0), -1, -1
        self.seed = trial.seed if self.seed is None else self.seed
        time.sleep(self.pause)
        for _ in range(self.epochs):
            self.model.train()
            for batch in self.train_batches():
                self.optimizer.zero_grad()
                self.loss(batch).backward()
                self.optimizer.step()
        return self.evaluate()


class Wide(nn.Module):
    """Four numbers to `width`, some of them dropped."""

    def __init__(self, width: int = 4, p: float = 0.0) -> None:
        super().__init__()
        self.linear, self.p = nn.Linear(4, width), p

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [N, 4] to [N, width]."""
        return dropout(self.linear(x), self.p, self.training)


class Stack(nn.Module):
    """A layer between two activations, or what stands in their places."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(Wide(), first, Wide(), second, nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [N, 4] to [N, 1]."""
        y: Tensor = self.layers(x)
        return y


HERE = "!tests.automl_cli.supernets."


def toy(first: str = "!torch.nn.ReLU {}", **options: Any) -> str:
    """The program of a recipe: `Toy` with a `Stack` and with options."""
    more = "".join(f", {key}: {value}" for key, value in options.items())
    model = f"{HERE}Stack {{first: {first}, second: !torch.nn.Identity {{}}}}"
    return f"{HERE}Toy {{model: {model}{more}}}"


SPACE = """\
- at: model.first
  replace: !oneof [!torch.nn.ReLU {}, !torch.nn.Tanh {}, !torch.nn.Sigmoid {}]
- at: model.second
  replace: !oneof [!torch.nn.Identity {}, !torch.nn.Tanh {}, !torch.nn.ELU {}]
"""
KEYS: Mapping[str, str | None] = {
    "imports": "[tests.automl_cli.supernets, torch.nn]",
    "program": toy(),
    "space": "[activations.yaml]",
    "objective": "{minimize: error}",
    "algorithm": "{name: rsps, candidates: 6, finalists: 2}",
    "budget": None,
    "run": "{executor: inline}",
}


def write_recipe(project: Project, **keys: str | None) -> None:
    """The usual recipe of these tests, with other keys; `recipe.yaml`."""
    project.write("activations.yaml", SPACE)
    project.recipe(**{**KEYS, **keys})
