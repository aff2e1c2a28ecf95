"""Supernets over sizes: layers whose quality by width is a table, and a small real network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import elastic_rule
from automl_algorithms.weight_sharing.masks import ChannelMask, blend
from automl_algorithms.weight_sharing.slicing import elastic
from automl_algorithms.weight_sharing.slicing_layers import SlicedBatchNorm2d, SlicedConv2d
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import casino, sequence
from .stepwise import fit

Readout = Literal["sum", "mean"]


class Slot(nn.Module):
    """Adds what its width is worth to what comes in; the weight has no effect.

    A layer of one row of channels, read by their sum, which is linear in masks, or by their mean,
    which interpolation leaves about as it is.

    Args:
        width: channels, from 1 on.
        worths: of every width.
        readout: what becomes of the channels.
    """

    def __init__(self, width: Any, worths: list[float], readout: Readout = "sum") -> None:
        super().__init__()
        self.width, self.readout = width, readout
        self.weight = nn.Parameter(torch.zeros(()))
        totals = [w * (c if readout == "mean" else 1) for c, w in enumerate(worths, 1)]
        channels = torch.tensor(totals).diff(prepend=torch.zeros(1))
        self.register_buffer("channels", channels.view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x + the worth of the width of the moment."""
        found = blend(self.get_buffer("channels"), self.width)
        total: Tensor = x + getattr(found, self.readout)() + 0 * self.weight
        return total


class Narrow(nn.Module):
    """Two convolutions with `width` channels between them, from and to 3 channels."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            SlicedConv2d(3, width, 3, padding=1, bias=False),
            SlicedBatchNorm2d(width),
            nn.ReLU(),
            ChannelMask(width),
            SlicedConv2d(width, 3, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> the same shape."""
        found: Tensor = self.layers(x)
        return found


@elastic_rule(Slot, "width")
def _slot(node: Any, build: Any) -> nn.Module:
    return Slot(elastic(node.get("width")), node.get("worths"), node.get("readout"))


@elastic_rule(Narrow, "width")
def _narrow(node: Any, build: Any) -> nn.Module:
    return Narrow(elastic(node.get("width")))


slot, narrow = symbolize(Slot), symbolize(Narrow)


def sized(
    worths: Sequence[Sequence[float]], readout: Readout = "sum", *more: Any, epochs: int = 10
) -> Supernet:
    """A size for each row, worth what the row says, divided by the number of rows.

    Args:
        more: further layers.
    """
    rows = [
        slot(oneof(list(range(1, len(row) + 1))), [w / len(worths) for w in row], readout)
        for row in worths
    ]
    net = lower(Space(casino(model=sequence(*rows, *more))))
    net.program.epochs = epochs
    return net


def real(*layers: Any) -> Supernet:
    """The supernet of `Fit` with layers of images."""
    return lower(Space(fit(model=sequence(*layers), lr=0.01)))
