"""Stochastic depth: a residual branch that is left out for some of the images of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl_spaces.registry import register


@register
class DropPath(nn.Module):
    """In training, the branch of each sample is dropped with a probability, else scaled up.

    Huang et al. 2016, arXiv 1603.09382, per sample as in EfficientNet, where it is called drop
    connect. It draws at rate 0 too: networks of one seed then have the same noise at any rate.

    Args:
        rate: probability to drop, 0 to less than 1.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        check_rate(rate)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, ...] -> the same; the expectation is the input."""
        return drop_path(x, self.rate) if self.training else x

    def extra_repr(self) -> str:
        """The rate."""
        return f"rate={self.rate}"


def drop_path(x: Tensor, rate: float) -> Tensor:
    """Zero samples of x [N, ...] with probability `rate`, divide the others by 1 - rate."""
    kept = sample_noise(x) >= rate
    return x * (kept.to(x) / (1 - rate)) if rate else x


def sample_noise(x: Tensor) -> Tensor:
    """A uniform number from 0 to 1 for each sample of x [N, ...], as [N, 1, ...]."""
    return torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device)


def check_rate(rate: float) -> None:
    """Refuse what is no probability, and 1: then nothing would be left to scale up."""
    if not 0 <= rate < 1:
        raise ValueError(f"a rate to drop with must be from 0 to less than 1, got {rate}")
