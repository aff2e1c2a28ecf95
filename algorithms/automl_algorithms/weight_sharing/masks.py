"""Mixtures of widths: a layer computes its widest output, and masks say what remains of it.

A mask stands after every normalisation and activation. Normalisation is per channel, so the
first c channels come out the same whatever the others hold; but a mask *before* it is in vain,
for the shift makes something else of the zeros. With masks behind, a mixture of weights 0 and 1
equals the stand-alone narrow network, in outputs and gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, pad

from automl_algorithms.weight_sharing.elastic import Decided, derived_state
from automl_algorithms.weight_sharing.slicing import Elastic, Width, at, computed, share, terms


def prefix_masks(widths: Sequence[int], channels: int) -> Tensor:
    """A row for each width: that many ones, then zeros. Bool [len(widths), channels]."""
    return torch.arange(channels) < torch.tensor(widths)[:, None]


def interpolate_channels(x: Tensor, channels: int) -> Tensor:
    """Channel-wise interpolation of TAS (Dong and Yang 2019, arXiv 1905.09717).

    With c channels in and C out, output channel j is the mean of the input channels from
    floor(j c / C) to ceil((j + 1) c / C) - 1.

    Args:
        x: [N, c, ...].
        channels: C; nothing changes when it is c.

    Returns:
        [N, C, ...].
    """
    if x.shape[1] == channels:
        return x
    flat = x.reshape(x.shape[0], 1, x.shape[1], -1)
    pooled = adaptive_avg_pool2d(flat, (channels, flat.shape[3]))
    return pooled.reshape(x.shape[0], channels, *x.shape[2:])


def blend(x: Tensor, width: Width) -> Tensor:
    """The output of a normalisation or activation at the width of the moment.

    Args:
        x: [N, c, H, W]; c is at least the largest width that counts.
        width: of this output.

    Returns:
        [N, largest width that counts, H, W]: on a path, the first channels. In a mixture, the sum
        of weight x prefix mask (FBNetV2, Wan et al. 2020, arXiv 2004.05565, section 3.1), or
        where TAS interpolates, of weight x prefix interpolated to the largest width.
    """
    widths, weights, interpolated = terms(width)
    channels = max(widths)
    if x.shape[1] > channels:  # a slice of all is not for free
        x = x[:, :channels]
    if weights is None:
        return x
    if interpolated:
        parts = [
            weight * interpolate_channels(x[:, :c], channels)
            for c, weight in zip(widths, weights, strict=True)
            if c
        ]
        return torch.stack(parts).sum(0)
    masks = prefix_masks(widths, channels).to(weights)
    return x * (weights @ masks).to(x).view(1, -1, 1, 1)


class ChannelMask(nn.Module):
    """`blend` as a module."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """[N, c, H, W] -> [N, width, H, W]."""
        return blend(x, self.width)


def fit(x: Tensor, channels: int) -> Tensor:
    """[N, c, H, W] -> [N, channels, H, W]: the first channels, or zeros after the last."""
    missing = channels - x.shape[1]
    return pad(x, (0, 0, 0, 0, 0, missing)) if missing > 0 else x[:, :channels]


def add_where(condition: bool | Elastic[bool], x: Tensor, y: Tensor) -> Tensor:
    """y, plus x with the weight of a condition: a residual connection where sizes allow one.

    Args:
        condition: holds only for architectures where x and y have as many channels.
        x: [N, c, H, W].
        y: [N, d, H, W].

    Returns:
        [N, d, H, W].
    """
    weight = share(condition)
    if weight is False:
        return y
    x = fit(x, y.shape[1])
    return x + y if weight is True else weight.to(x) * x + y


class Unless(nn.Module):
    """Layers that some architectures do without: there the input passes as it is.

    Args:
        condition: holds for architectures without the layers.
        layers: of `width` output channels where they are, and masked to none where they are not.
        width: output channels in every architecture.
    """

    def __init__(self, condition: bool | Elastic[bool], layers: nn.Module, width: Width) -> None:
        super().__init__()
        self.condition, self.layers, self.width = condition, layers, width

    def forward(self, x: Tensor) -> Tensor:
        """[N, c, H, W] -> [N, width, H, W]."""
        if share(self.condition) is True:
            return x
        return add_where(self.condition, x, fit(self.layers(x), computed(self.width)))

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """Of the layers, where the architecture has them."""
        return {} if at(self.condition, decided) else derived_state(self.layers, decided)
