"""Ridge regression as a stepwise program: every derivative by its weight decay is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

Batch = tuple[Tensor, Tensor]
N, D = 20, 10


class Ridge:
    """The mean squared error of a linear model, halved, on one batch; float64.

    Args:
        optimizer: live.
        extra: live: the weight of |w|^2 / 2 in the loss itself.
    """

    live_arguments: ClassVar[tuple[str, ...]] = ("optimizer", "extra")

    def __init__(self, optimizer: Any, extra: float = 0.0) -> None:
        self.spec, self.extra = optimizer, extra
        self.epochs, self.steps = 1, 400
        generator = torch.Generator().manual_seed(0)
        truth = torch.randn(D, 1, generator=generator, dtype=torch.float64)
        self.train, self.valid = (
            (x, x @ truth + 2.0 * torch.randn(n, 1, generator=generator, dtype=torch.float64))
            for n in (N, 50)
            for x in [torch.randn(n, D, generator=generator, dtype=torch.float64)]
        )

    @cached_property
    def model(self) -> nn.Module:
        """[N, D] -> [N, 1], without a bias."""
        return nn.Linear(D, 1, bias=False).double()

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """With what was adopted."""
        made = torch.optim.SGD(self.model.parameters(), 0.1)
        self.adopt("optimizer", self.spec, made)
        return made

    def adopt(self, name: str, value: Any, optimizer: Any = None) -> None:
        """Into the groups of the real optimiser, or into the loss."""
        if name == "extra":
            self.extra = value
            return
        for group in (optimizer or self.optimizer).param_groups:
            group.update(vars(value))

    def train_batches(self) -> Iterator[Batch]:
        """The same."""
        return iter([self.train] * self.steps)

    def valid_batches(self) -> Iterator[Batch]:
        """Once."""
        return iter([self.valid])

    def loss(self, batch: Batch) -> Tensor:
        """Half of the mean squared error."""
        x, y = batch
        [w] = self.model.parameters()
        return (self.model(x) - y).square().mean() / 2 + self.extra * w.square().sum() / 2

    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """The loss on the validation part."""
        with torch.no_grad():
            return {"loss": float(self.loss(self.valid))}

    # What is known of it.

    def hessian(self) -> Tensor:
        """[D, D], of the training loss without weight decay."""
        return self.train[0].T @ self.train[0] / N

    def minimum(self, decay: float) -> Tensor:
        """w* [D, 1]."""
        x, y = self.train
        return torch.linalg.solve(
            self.hessian() + decay * torch.eye(D, dtype=torch.float64), x.T @ y / N
        )

    def validation(self, decay: float) -> float:
        """The validation loss at w*."""
        x, y = self.valid
        return float((x @ self.minimum(decay) - y).square().mean() / 2)

    def slope(self, decay: float) -> float:
        """Its derivative by the decay, by a central difference."""
        step = 1e-5 * decay
        return (self.validation(decay + step) - self.validation(decay - step)) / (2 * step)

    def best(self) -> float:
        """The decay of the lowest validation loss, on a grid of a thousand from 1e-4 to 100."""
        return min((10 ** (k / 1000 * 6 - 4) for k in range(1001)), key=self.validation)

    def settle(self, decay: float) -> None:
        """Put the weights at w*."""
        with torch.no_grad():
            self.model.weight.copy_(self.minimum(decay).T)


def ridge(optimizer: Any, **more: Any) -> Supernet:
    """Its supernet."""
    return lower(Space(symbolize(Ridge)(optimizer, **more)))
