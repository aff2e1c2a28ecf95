"""Comparing a supernet with the stand-alone networks that it stands for, in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from automl_algorithms.weight_sharing.elastic import derived_state
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces.decisions import Decisions
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

SHAPE, CLASSES = (3, 16, 16), 5


class Task:
    """A stepwise program of which only the model matters."""

    def __init__(self, model: Any) -> None:
        self.model: nn.Module = model.build_for(SHAPE, CLASSES)
        self.optimizer = None

    def loss(self, batch: Tensor) -> Tensor:
        """Of images alone."""
        logits: Tensor = self.model(batch)
        return logits.square().sum()

    train_batches = valid_batches = evaluate = loss  # never called


def supernet(model: Any) -> Supernet:
    """Of a model with choices; scales, shifts and statistics tell channels apart."""
    torch.manual_seed(0)
    net = lower(Space.compile(symbolize(Task)(model)))
    for module in net.model.double().modules():
        if isinstance(module, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
    return net


def images(n: int = 4) -> Tensor:
    """Random ones, always the same. [n, 3, 16, 16]"""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, *SHAPE, dtype=torch.float64, generator=generator)


def mix_one_hot(net: Supernet, record: Decisions) -> None:
    """Every gate mixes all of its candidates, with all of the weight on one."""
    net.mix(
        {
            index: one_hot(torch.tensor(record.values[index] or 0), gate.size).double()
            for index, gate in net.gates.items()
        }
    )


def run(model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits of a training step and then of an evaluation [2, N, classes]; gradients by name."""
    model.zero_grad()
    torch.manual_seed(2)  # of dropout
    trained = model.train()(images())
    trained.square().sum().backward()
    with torch.no_grad():
        logits = torch.stack([trained, model.eval()(images())])
    return logits, {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }


def assert_equals_stand_alone(net: Supernet, record: Decisions) -> None:
    """What the gates of a supernet are set to is the network of a record.

    Outputs, statistics and gradients agree to 1e-12 (of the largest entry), and every gradient
    outside of the network's slices is exactly zero.
    """

    def state() -> dict[str, Tensor]:  # views of the shared tensors
        return derived_state(
            net.model, lambda gate: gate.point.place(record.values[gate.point.index] or 0)
        )

    model = net.space.materialise(record).build().model.double()
    model.load_state_dict(net.export(record))
    saved = {name: value.clone() for name, value in net.model.state_dict().items()}
    (logits, gradients), (wanted, wanted_gradients) = run(net.model), run(model)
    assert_close(logits, wanted)
    for name, value in model.named_buffers():
        assert_close(state()[name], value)
    with torch.no_grad():
        for name, parameter in net.model.named_parameters():
            parameter.copy_(gradients[name])  # so that gradients are sliced as weights are
        for name, gradient in wanted_gradients.items():
            assert_close(state()[name], gradient)
            state()[name].zero_()
    assert not any(p.any() for p in net.model.parameters())
    net.model.load_state_dict(saved)


def assert_close(one: Tensor, other: Tensor, tolerance: float = 1e-12) -> None:
    """Equal shapes, and entries that are equal but for a part of the largest."""
    one, other = one.detach(), other.detach()
    assert one.shape == other.shape
    assert (one - other).abs().max() <= tolerance * max(1.0, float(other.abs().max()))
