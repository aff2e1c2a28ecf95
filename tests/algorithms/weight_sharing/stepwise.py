"""The smallest stepwise program, and what every lowered space must fulfil."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import derived_state
from automl_algorithms.weight_sharing.supernet import Supernet, decided_by, lower
from automl_spaces.decisions import Decisions
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

Batch = tuple[Tensor, Tensor]
EXACT = 1e-12


class Fit:
    """Least squares on one batch of random images, float64 [6, 3, 8, 8]."""

    def __init__(self, model: Any, lr: float = 0.1) -> None:
        self.network, self.lr = model, lr
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(6, 3, 8, 8, generator=generator, dtype=torch.float64)

    @cached_property
    def model(self) -> nn.Module:
        """In float64."""
        network = self.network
        late = hasattr(network, "build_for")
        made: nn.Module = network.build_for((3, 8, 8), 3) if late else network
        return made.double()

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Plain gradient descent."""
        return torch.optim.SGD(self.model.parameters(), self.lr)

    @property
    def batch(self) -> Batch:
        """Images and a target that any shape of output can be compared with."""
        return self.images, torch.ones((), dtype=torch.float64)

    def train_batches(self) -> Iterator[Batch]:
        """Three times the same."""
        return iter([self.batch] * 3)

    def valid_batches(self) -> Iterator[Batch]:
        """Once."""
        return iter([self.batch])

    def loss(self, batch: Batch) -> Tensor:
        """A cubic, so that its gradient depends on the output."""
        images, target = batch
        cubic: Tensor = ((self.model(images) - target) ** 3).mean()
        return cubic

    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """The mean loss."""
        losses = [float(self.loss(batch)) for batch in batches or [self.batch]]
        return {"loss": sum(losses) / len(losses)}


fit = symbolize(Fit)
sequential = symbolize(nn.Sequential)
conv = symbolize(nn.Conv2d)
norm = symbolize(nn.BatchNorm2d)
relu = symbolize(nn.ReLU)
identity = symbolize(nn.Identity)
pool = symbolize(nn.AvgPool2d)


def lowered(model: Any) -> Supernet:
    """The supernet of `Fit` with this model."""
    return lower(Space(fit(model=model)))


def assert_path_is_network(net: Supernet, decisions: Decisions) -> None:
    """Outputs, weight gradients and running statistics equal the stand-alone network's.

    And weights that are no part of it have no gradient at all.
    """
    alone = net.derive(decisions)
    net.model.zero_grad(set_to_none=True)
    net.choose(decisions)
    batch = net.program.batch
    error = (net.model(batch[0]) - alone.model(batch[0])).abs().max()
    assert error <= EXACT
    for program in (net.program, alone):
        program.loss(batch).backward()
    assert any(weight.grad is not None for weight in alone.model.parameters())
    shared = derived_state(net.model, decided_by(decisions))
    used = set()
    for name, weight in alone.model.named_parameters():
        grad = shared[name].grad
        used.add(id(shared[name]))
        assert (weight.grad is None) == (grad is None), name
        if weight.grad is not None:
            assert (weight.grad - grad).abs().max() <= EXACT, name
    for name, buffer in alone.model.named_buffers():
        assert (buffer - shared[name]).abs().max() <= EXACT, name
    assert all(p.grad is None for p in net.model.parameters() if id(p) not in used)
