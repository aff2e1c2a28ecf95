"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), one argument per decision of its design.

A block does not say how many channels come in: that follows from the block before it, and its
layers are made when the network is put together (`build_for`). So one block can be changed,
exchanged or dropped without a word about its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from automl_cli.programs.channels import MOBILENET_V2_BLOCKS, make_divisible
from automl_cli.programs.contracts import Assembled
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.programs.contracts import Shape


def convolution(
    cin: int,
    cout: int,
    kernel_size: int = 1,
    stride: int = 1,
    groups: int = 1,
    *,
    activation: type[nn.Module] | None = nn.ReLU6,
) -> nn.Sequential:
    """Convolution that keeps the size (but for its stride), batch normalisation, activation."""
    layers = [
        nn.Conv2d(
            cin, cout, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(cout),
    ]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


@register
class InvertedResidual(nn.Module):
    """Expand 1 x 1, filter each channel k x k, project 1 x 1; add the input where sizes allow.

    Args:
        filters: output channels at width 1.
        stride: of the filter in the middle.
        kernel_size: of the filter in the middle; odd.
        expansion: hidden channels per input channel; 1 leaves the expanding layer out.
        multiplier: of this block's filters, on top of the network's width.
    """

    activation: type[nn.Module] = nn.ReLU6

    def __init__(
        self,
        filters: int,
        stride: int = 1,
        kernel_size: int = 3,
        expansion: int = 6,
        multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"{type(self).__name__}: kernel_size must be odd, got {kernel_size}")
        self.filters, self.stride, self.kernel_size = filters, stride, kernel_size
        self.expansion, self.multiplier = expansion, multiplier
        self.residual = False

    def assemble(self, channels: int, width: float) -> int:
        """Make the layers for `channels` inputs; the answer is the number of output channels."""
        out = make_divisible(self.filters * self.multiplier * width)
        self.residual = self.stride == 1 and channels == out
        self.make_layers(channels, channels * self.expansion, out)
        return out

    def make_layers(self, channels: int, hidden: int, out: int) -> None:
        """The layers of the branch, from `channels` over `hidden` to `out`."""
        act = self.activation
        self.expand = (
            nn.Identity() if self.expansion == 1 else convolution(channels, hidden, activation=act)
        )
        self.depthwise = convolution(
            hidden, hidden, self.kernel_size, self.stride, groups=hidden, activation=act
        )
        self.project = convolution(hidden, out, activation=None)

    def branch(self, x: Tensor) -> Tensor:
        """What the input is added to where sizes allow."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, out, H / stride, W / stride], rounded up."""
        y = self.branch(x)
        return x + y if self.residual else y


@register
class Skip(nn.Identity):
    """No block at all: a candidate where others keep the size and the number of channels."""

    def __init__(self) -> None:
        super().__init__()


@register
class MobileNetV2(nn.Module):
    """A 3 x 3 convolution, inverted residual blocks, a 1 x 1 convolution, mean, linear layer.

    Args:
        width: multiplies all channels, rounded to multiples of 8; the head only when above 1.
        stem: channels of the first convolution at width 1.
        head: channels of the last convolution.
        blocks: the blocks in order; None for the paper's 17. A module that is not told its
            input channels (`nn.Identity()`) must keep their number.
        stem_stride: 2 as in the paper, 1 for small images.
        dropout: probability, before the linear layer.
    """

    activation: type[nn.Module] = nn.ReLU6

    def __init__(
        self,
        width: float = 1.0,
        stem: int = 32,
        head: int = 1280,
        blocks: list[nn.Module] | None = None,
        stem_stride: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.stem_filters, self.head_filters = width, stem, head
        self.stem_stride, self.dropout_rate = stem_stride, dropout
        if blocks is None:
            blocks = [InvertedResidual(f, s, expansion=t) for f, s, t in MOBILENET_V2_BLOCKS]
        self.blocks = nn.Sequential(*blocks)

    def build_for(self, shape: Shape, classes: int) -> MobileNetV2:
        """Make every layer, with fresh weights, for images of this shape; returns itself."""
        channels = make_divisible(self.stem_filters * self.width)
        self.stem = convolution(shape[0], channels, 3, self.stem_stride, activation=self.activation)
        for block in self.blocks:
            if isinstance(block, Assembled):
                channels = block.assemble(channels, self.width)
        head = make_divisible(self.head_filters * max(1.0, self.width))
        self.head = convolution(channels, head, activation=self.activation)
        self.dropout = nn.Dropout(self.dropout_rate)
        self.classifier = nn.Linear(head, classes)
        self.apply(_initialise)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] -> logits [N, classes]."""
        features = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(self.dropout(features.mean(dim=(2, 3))))
        return logits


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    """He et al. 2015 for convolutions, N(0, 0.01) for the linear layer.

    A kernel larger than 3 x 3 begins as a 3 x 3 one with zeros around it: it can become no worse
    than that one, and kernels of all sizes, which share their centre in a supernet, begin alike.
    Residual blocks begin as the identity: the scale of their last normalisation is zero (Goyal
    et al. 2017, arXiv 1706.02677, section 5.1). Trainings of few steps gain much by it.
    """
    if isinstance(module, nn.Conv2d):
        edge = max(0, module.kernel_size[0] - 3) // 2
        centre = slice(edge, module.kernel_size[0] - edge)
        inner = torch.empty_like(module.weight[..., centre, centre])
        nn.init.zeros_(module.weight)
        module.weight[..., centre, centre] = nn.init.kaiming_normal_(inner, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
    elif isinstance(module, InvertedResidual) and module.residual:
        norm = module.project[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)
