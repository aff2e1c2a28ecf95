"""The inverted residual block with its first two convolutions in one.

A dense k x k convolution has more multiply-adds than a pointwise and a depthwise one, but on
accelerators with wide units it is often faster (Gupta and Akin 2020, arXiv 2003.02838; NAHAS,
Zhou et al. 2021, arXiv 2102.08619, searches for the kind of each block).
"""

from __future__ import annotations

from torch import Tensor

from automl_cli.programs.mobilenet_v2 import InvertedResidual, convolution
from automl_spaces.registry import register


@register
class FusedInvertedResidual(InvertedResidual):
    """Expand and filter k x k, project 1 x 1; add the input where sizes allow.

    Args:
        filters: output channels at width 1.
        stride: of the first convolution.
        kernel_size: of the first convolution; odd.
        expansion: hidden channels per input channel.
        multiplier: of this block's filters, on top of the network's width.
        groups: of the first convolution; a divisor of the input channels.
    """

    def __init__(
        self,
        filters: int,
        stride: int = 1,
        kernel_size: int = 3,
        expansion: int = 6,
        multiplier: float = 1.0,
        groups: int = 1,
    ) -> None:
        super().__init__(filters, stride, kernel_size, expansion, multiplier)
        self.groups = groups

    def make_layers(self, channels: int, hidden: int, out: int) -> None:
        """The layers of the branch.

        Raises:
            ValueError: when the groups do not divide the input channels.
        """
        check_groups(channels, self.groups)
        self.fused = convolution(
            channels,
            hidden,
            self.kernel_size,
            self.stride,
            self.groups,
            activation=self.activation,
        )
        self.project = convolution(hidden, out, activation=None)

    def branch(self, x: Tensor) -> Tensor:
        """What the input is added to where sizes allow."""
        y: Tensor = self.project(self.fused(x))
        return y


def check_groups(channels: int, groups: int) -> None:
    """Refuse groups of unequal size."""
    if channels % groups:
        raise ValueError(f"FusedInvertedResidual: {groups=} do not divide {channels} channels")
