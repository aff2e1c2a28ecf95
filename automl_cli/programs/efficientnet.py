"""EfficientNet (Tan and Le 2019, arXiv 1905.11946): MobileNetV2 with attention to channels.

Its blocks weigh their channels by squeeze and excitation, and are left out at random in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from torch import Tensor, nn

from automl_cli.programs.channels import EFFICIENTNET_B0_BLOCKS
from automl_cli.programs.drop_path import DropPath
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.programs.contracts import Shape

Activation = Literal["silu", "relu6"]
ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {"silu": nn.SiLU, "relu6": nn.ReLU6}


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the means of all channels say (Hu et al. 2018, 1709.01507).

    Args:
        channels: of the input.
        squeezed: between the two layers.
        activation: between the two layers.
    """

    def __init__(self, channels: int, squeezed: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1),
            activation(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> the same."""
        weights: Tensor = self.layers(x.mean(dim=(2, 3), keepdim=True))
        return x * weights


@register
class MBConv(InvertedResidual):
    """An inverted residual block with squeeze and excitation, and drop path.

    Args:
        filters: output channels at width 1.
        stride: of the filter in the middle.
        kernel_size: of the filter in the middle; odd.
        expansion: hidden channels per input channel; 1 leaves the expanding layer out.
        multiplier: of this block's filters, on top of the network's width.
        squeeze_excite: channels of its attention per *input* channel; 0 leaves it out.
        drop_path: probability to leave the branch out; None takes what the network says. It acts
            where the input is added.
        activation: of all layers but the last.
    """

    def __init__(
        self,
        filters: int,
        stride: int = 1,
        kernel_size: int = 3,
        expansion: int = 6,
        multiplier: float = 1.0,
        squeeze_excite: float = 0.25,
        drop_path: float | None = None,
        activation: Activation = "silu",
    ) -> None:
        super().__init__(filters, stride, kernel_size, expansion, multiplier)
        self.squeeze_excite, self.drop_path = squeeze_excite, drop_path
        self.activation = ACTIVATIONS[activation]
        self.follow(0.0, 0.0)

    def follow(self, drop_path: float, share: float) -> None:
        """Take a share of the network's rate of drop path, unless the block has its own."""
        self.rate = drop_path * share if self.drop_path is None else self.drop_path

    def make_layers(self, channels: int, hidden: int, out: int) -> None:
        """The layers of the branch.

        Raises:
            ValueError: a rate of drop path that is none.
        """
        super().make_layers(channels, hidden, out)
        self.excite = self.attention(channels, hidden)
        self.drop = DropPath(self.rate if self.residual else 0.0)

    def attention(self, channels: int, hidden: int) -> nn.Module:
        """The squeeze and excitation of the hidden channels."""
        if not self.squeeze_excite:
            return nn.Identity()
        squeezed = max(1, int(channels * self.squeeze_excite))
        return SqueezeExcite(hidden, squeezed, self.activation)

    def branch(self, x: Tensor) -> Tensor:
        """What the input is added to where sizes allow."""
        y: Tensor = self.drop(self.project(self.excite(self.depthwise(self.expand(x)))))
        return y


@register
class EfficientNet(MobileNetV2):
    """A 3 x 3 convolution, blocks, a 1 x 1 convolution, mean, dropout, linear layer.

    Args:
        width: multiplies all channels, rounded to multiples of 8; the head only when above 1.
        stem: channels of the first convolution at width 1.
        head: channels of the last convolution.
        blocks: the blocks in order, of `MBConv` or of those of `MobileNetV2`; None for the 16 of
            EfficientNet-B0.
        stem_stride: 2 as in the paper, 1 for small images.
        dropout: probability, before the linear layer.
        drop_path: of n blocks, number i (from 0) drops its branch with probability
            `drop_path` * i / n, as in the authors' code; blocks may say otherwise.
        activation: of the first and the last convolution.
    """

    def __init__(
        self,
        width: float = 1.0,
        stem: int = 32,
        head: int = 1280,
        blocks: list[nn.Module] | None = None,
        stem_stride: int = 2,
        dropout: float = 0.2,
        drop_path: float = 0.2,
        activation: Activation = "silu",
    ) -> None:
        if blocks is None:
            blocks = [MBConv(*sizes) for sizes in EFFICIENTNET_B0_BLOCKS]
        super().__init__(width, stem, head, blocks, stem_stride, dropout)
        self.drop_path, self.activation = drop_path, ACTIVATIONS[activation]

    def build_for(self, shape: Shape, classes: int) -> MobileNetV2:
        """Make every layer, with fresh weights, for images of this shape; returns itself.

        Raises:
            ValueError: a rate of drop path that is none.
        """
        for i, block in enumerate(self.blocks):
            for each in block.modules():  # of a block that is a choice, every candidate
                if isinstance(each, MBConv):
                    each.follow(self.drop_path, i / len(self.blocks))
        return super().build_for(shape, classes)
