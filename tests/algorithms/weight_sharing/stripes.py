"""A task on which a convolution of 3 x 3 pixels is necessary, and cells that may have one or not.

Stripes run along the rows of an image or along its columns. Transposing an image turns one class
into the other, and does nothing to the result of 1 x 1 convolutions, symmetric pooling, skips and a
mean over all pixels: without a 3 x 3 convolution no network is better than a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from automl_spaces import oneof
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol

Batch = tuple[Tensor, Tensor]
CHANNELS = 6


class Zero(nn.Module):
    """No edge."""

    def forward(self, x: Tensor) -> Tensor:
        """Zeros in the place of x."""
        return torch.zeros_like(x)


class Convolution(nn.Sequential):
    """ReLU, convolution, normalisation."""

    def __init__(self, size: int) -> None:
        conv = nn.Conv2d(CHANNELS, CHANNELS, size, padding=size // 2, bias=False)
        super().__init__(nn.ReLU(), conv, nn.BatchNorm2d(CHANNELS))


class Cell(nn.Module):
    """Two nodes after the input: y = a(x), z = b(x) + c(y)."""

    def __init__(self, a: nn.Module, b: nn.Module, c: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.c = a, b, c

    def forward(self, x: Tensor) -> Tensor:
        """float32 [N, C, H, W] -> [N, C, H, W]."""
        z: Tensor = self.b(x) + self.c(self.a(x))
        return z


class Stripes:
    """Along the rows (0) or along the columns (1): images [32, 1, 8, 8], 120 steps."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.epochs, self.steps = 6, 20
        self.epoch = self.validations = 0

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """With Nesterov's momentum."""
        return torch.optim.SGD(self.model.parameters(), 0.05, momentum=0.9, nesterov=True)

    def train_batches(self) -> Iterator[Batch]:
        """New ones in each epoch."""
        self.epoch += 1
        return _batches(self.epoch, self.steps)

    def valid_batches(self) -> Iterator[Batch]:
        """Others."""
        self.validations += 1
        return _batches(1000 + self.validations, 8)

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy."""
        images, labels = batch
        return nn.functional.cross_entropy(self.model(images), labels)

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """The share of right answers; over 512 images if no batches are given."""
        self.model.eval()
        hits = [
            (self.model(images).argmax(1) == labels).float().mean().item()
            for images, labels in batches or _batches(77, 16)
        ]
        return {"accuracy": sum(hits) / len(hits)}

    def trained(self) -> float:
        """The accuracy after a training from scratch."""
        for _ in range(self.epochs):
            self.model.train()
            for batch in self.train_batches():
                self.optimizer.zero_grad()
                self.loss(batch).backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
        return self.evaluate()["accuracy"]


def _batches(seed: int, count: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        rows = torch.randn(32, 1, 8, 1, generator=generator)
        rows = rows + torch.randn(32, 1, 8, 8, generator=generator)
        labels = torch.randint(2, (32,), generator=generator)
        yield torch.where(labels.bool()[:, None, None, None], rows.mT, rows), labels


stripes, cell, convolution = symbolize(Stripes), symbolize(Cell), symbolize(Convolution)
zero, identity, relu = symbolize(Zero), symbolize(nn.Identity), symbolize(nn.ReLU)
conv, pool, average = symbolize(nn.Conv2d), symbolize(nn.AvgPool2d), symbolize(nn.AdaptiveAvgPool2d)
sequential, flatten, linear = symbolize(nn.Sequential), symbolize(nn.Flatten), symbolize(nn.Linear)


def searched() -> Symbol:
    """Two equal cells with a pooling between them: 125 networks."""

    def edge(name: str) -> Any:
        kinds = [zero(), identity(), convolution(1), convolution(3), pool(3, 1, 1)]
        return oneof(kinds, name=name)

    cells = [cell(edge("a"), edge("b"), edge("c")) for _ in range(2)]
    head = relu(), average(1), flatten(), linear(CHANNELS, 2)
    found: Symbol = stripes(sequential(conv(1, CHANNELS, 1), cells[0], pool(2), cells[1], *head))
    return found
