"""A linear classifier on noise that has a direction: quick, convex, with live hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from automl_spaces.registry import symbolize

Batch = tuple[Tensor, Tensor]
WIDTH = 8


class SGD:
    """Hyperparameters of plain gradient descent."""

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay


class Linear:
    """Logistic regression: labels are the sign of a noisy projection of the inputs.

    Args:
        model: [N, WIDTH] -> [N, 1].
        optimizer: live.
        smoothing: live: of the labels.
        batch: size of a validation batch.
    """

    live_arguments: ClassVar[tuple[str, ...]] = ("optimizer", "smoothing")

    def __init__(
        self, model: nn.Module, optimizer: Any = None, smoothing: float = 0.0, batch: int = 512
    ) -> None:
        self.model, self.spec, self.smoothing, self.batch = model, optimizer, smoothing, batch
        self.epochs, self.steps = 1, 500
        self.epoch = self.validations = 0

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """With what was adopted."""
        made = torch.optim.SGD(self.model.parameters(), 0.1)
        self._set(made, self.spec or SGD(0.1))
        return made

    def adopt(self, name: str, value: Any) -> None:
        """Into the groups of the real optimiser."""
        if name == "optimizer":
            self._set(self.optimizer, value)
        else:
            self.smoothing = value

    def _set(self, optimizer: torch.optim.Optimizer, spec: SGD) -> None:
        for group in optimizer.param_groups:
            group.update(vars(spec))

    def seek(self, epoch: int, validations: int) -> None:
        """Go to a position."""
        self.epoch, self.validations = epoch, validations

    def train_batches(self) -> Iterator[Batch]:
        """Of 64."""
        self.epoch += 1
        generator = torch.Generator().manual_seed(self.epoch)
        for _ in range(self.steps):
            yield drawn(64, generator)

    def valid_batches(self) -> Iterator[Batch]:
        """Ten of the size asked for."""
        self.validations += 1
        generator = torch.Generator().manual_seed(-self.validations)
        for _ in range(10):
            yield drawn(self.batch, generator)

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy, smoothed; convex in the weights of a linear model."""
        x, y = batch
        y = y + self.smoothing * (0.5 - y)
        return binary_cross_entropy_with_logits(self.model(x)[:, 0], y)

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """Accuracy and loss."""
        self.model.eval()
        x, y = (torch.cat(parts) for parts in zip(*(batches or self.valid_batches()), strict=True))
        logits = self.model(x)[:, 0]
        return {
            "accuracy": float(((logits > 0) == (y > 0.5)).float().mean()),
            "loss": float(binary_cross_entropy_with_logits(logits, y)),
        }


def drawn(n: int, generator: torch.Generator) -> Batch:
    """[N, WIDTH] and labels [N] of 0 or 1."""
    x = torch.randn(n, WIDTH, generator=generator)
    noise = 0.5 * torch.randn(n, generator=generator)
    return x, (x.sum(1) / WIDTH**0.5 + noise > 0).float()


linear, sgd, layer = symbolize(Linear), symbolize(SGD), symbolize(nn.Linear)
