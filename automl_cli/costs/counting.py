"""Multiply-adds and parameters of any module, counted on the real thing by hooks.

Counted are convolutions and linear layers, as the literature of MobileNets does; additions,
normalisation, activations and attention's own products are not. `torch.utils.flop_counter`
counts two operations per multiply-add.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from automl_cli.costs.layers import Shape, parts


class Count(NamedTuple):
    """Multiply-adds for one image, and trained parameters."""

    madds: int
    params: int


@torch.no_grad()
def count(model: nn.Module, shape: Shape) -> Count:
    """Run one black image of `shape` (C, H, W) through a built model and count.

    The model is left as it was, mode and all.
    """
    madds = 0

    def convolution(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal madds
        assert isinstance(module, _ConvNd)
        madds += module.weight[0].numel() * output[0].numel()

    def linear(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal madds
        assert isinstance(module, nn.Linear)
        madds += module.in_features * output[0].numel()

    hooks = [
        module.register_forward_hook(convolution if isinstance(module, _ConvNd) else linear)
        for module in model.modules()
        if isinstance(module, _ConvNd | nn.Linear)
    ]
    modes = {module: module.training for module in model.modules()}
    first = next(model.parameters(), torch.zeros(()))
    try:
        model.eval()(torch.zeros(1, *shape, dtype=first.dtype, device=first.device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return Count(madds, sum(p.numel() for p in model.parameters() if p.requires_grad))


def count_program(program: Any) -> Count:
    """The same for a symbolic program: its model is built for its data, and thrown away."""
    from automl_cli.programs.contracts import BuiltForData

    symbol, shape, classes = parts(program)
    with torch.random.fork_rng(devices=[]):  # drawing weights must not disturb anybody's seed
        model = symbol.build()
        if isinstance(model, BuiltForData):
            model = model.build_for(shape, classes)
    return count(model, shape)
