"""Tracing finds every product of a module, whatever it is made of."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from automl_cli.costs.layers import LayerSpec, layers_of
from automl_cli.hardware.layers import Network
from automl_cli.hardware.tracing import trace, trace_model
from automl_cli.recipe import load_recipe


class Transformer(nn.Module):
    """An encoder layer, tokens [1, 10, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """[1, 10, 32] -> [1, 10, 32]."""
        out: Tensor = self.encoder(x)
        return out


@pytest.mark.parametrize("recipe", ["mobilenet/s1", "cells/topology"])
@pytest.mark.parametrize("size", [32, 33])
def test_it_equals_the_closed_form(recipe: str, size: int) -> None:
    """Closed form and tracing find the same layers, as often."""
    model = load_recipe(recipe).program.model
    shape = (3, size, size)
    closed = layers_of(model, shape, 10)
    assert closed is not None
    assert Network.of(closed) == Network.of(trace_model(model, shape, 10))


def test_attention_is_seen() -> None:
    """Projections, two products of four heads, and the two layers of the perceptron."""
    model = Transformer()
    found = Counter(layer._replace(per_channel=0) for layer in trace(model, torch.zeros(1, 10, 32)))
    assert found == {
        LayerSpec("linear", 32, 96, 10, 1, per_channel=0): 1,
        LayerSpec("matmul", 4 * 8, 4 * 10, 10, 1, groups=4, per_channel=0): 1,
        LayerSpec("matmul", 4 * 10, 4 * 8, 10, 1, groups=4, per_channel=0): 1,
        LayerSpec("linear", 32, 32, 10, 1, per_channel=0): 1,
        LayerSpec("linear", 32, 64, 10, 1, per_channel=0): 1,
        LayerSpec("linear", 64, 32, 10, 1, per_channel=0): 1,
    }


def test_odd_convolutions_keep_their_multiply_adds() -> None:
    """One dimension, three, kernels that are not square, groups, transposed: PyTorch agrees."""
    cases: list[tuple[nn.Module, tuple[int, ...]]] = [
        (nn.Conv1d(8, 16, 5, padding=2), (8, 20)),
        (nn.Conv3d(4, 8, 3, padding=1), (4, 5, 6, 7)),
        (nn.Conv2d(8, 16, (1, 7), stride=2), (8, 12, 14)),
        (nn.Conv2d(8, 16, 3, groups=4), (8, 9, 9)),
        (nn.ConvTranspose2d(8, 16, 4, stride=2), (8, 9, 9)),
    ]
    for module, shape in cases:
        (layer,) = trace(module, torch.zeros(1, *shape))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(torch.zeros(1, *shape))
        assert 2 * layer.madds == counter.get_total_flops(), module


def test_the_module_is_left_as_it_was() -> None:
    """Mode, statistics and PyTorch's own switches."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seed = torch.random.get_rng_state()
    trace(model, torch.ones(1, 3, 8, 8))
    assert model.training and model[1].training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(seed, torch.random.get_rng_state())
    assert torch.backends.mha.get_fastpath_enabled()
