"""MobileNetV2 with shared weights: one supernet for kernel sizes, expansions and filters.

As TuNAS does it (Bender et al. 2020, arXiv 2008.06120, section 4): all choices of a block share
its pointwise convolutions, of which a narrower network uses the first channels. A smaller kernel
is the centre of the largest, so that every step trains all of them; in TuNAS each has weights of
its own, and learns from its share of the steps only. The arithmetic of the stand-alone block is
done with elastic numbers, so that a path has its roundings, and its residual connections where
sizes allow.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import (
    Build,
    Open,
    elastic_rule,
)
from automl_algorithms.weight_sharing.lowering import bind
from automl_algorithms.weight_sharing.masks import ChannelMask, Unless, add_where
from automl_algorithms.weight_sharing.slicing import Elastic, Width, elastic, largest, lift
from automl_algorithms.weight_sharing.slicing_layers import (
    SlicedBatchNorm2d,
    SlicedConv2d,
    SlicedLinear,
)
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.programs.channels import MOBILENET_V2_BLOCKS, make_divisible
from automl_cli.programs.contracts import Assembled
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2, _initialise
from automl_spaces.errors import UserError
from automl_spaces.symbols import Symbol

if TYPE_CHECKING:
    from automl_algorithms.weight_sharing.gates import Gate
    from automl_cli.programs.contracts import Shape


def convolution(
    cin: Width,
    cout: Width,
    kernel_size: Width = 1,
    stride: int = 1,
    groups: Width = 1,
    *,
    activation: bool = True,
) -> nn.Sequential:
    """As `mobilenet_v2.convolution`, with names and all, for elastic numbers of channels."""
    layers = [
        SlicedConv2d(
            cin,
            cout,
            kernel_size,
            groups=groups,
            stride=stride,
            padding=largest(kernel_size) // 2,
            bias=False,
        ),
        SlicedBatchNorm2d(cout),
    ]
    if activation:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers, ChannelMask(cout))


class ElasticInvertedResidual(InvertedResidual):
    """An inverted residual block of which all but the stride may be open.

    Args:
        filters, kernel_size, expansion, multiplier: numbers or elastic numbers.
        stride: of the filter in the middle.
    """

    def __init__(
        self,
        filters: Any,
        stride: int = 1,
        kernel_size: Any = 3,
        expansion: Any = 6,
        multiplier: Any = 1.0,
    ) -> None:
        for size in _values(kernel_size):
            super().__init__(filters, stride, size, expansion, multiplier)  # refuses a wrong one
        self.kernel_size = kernel_size

    def assemble(self, channels: Any, width: Any) -> Any:
        """Make the layers for a number of input channels; either number may be elastic."""
        hidden = lift(operator.mul, channels, self.expansion)
        out = lift(lambda f, m, w: make_divisible(f * m * w), self.filters, self.multiplier, width)
        self.expand = _expansion(channels, self.expansion, hidden)  # type: ignore[assignment]
        self.depthwise = convolution(hidden, hidden, self.kernel_size, self.stride, groups=hidden)
        self.project = convolution(hidden, out, activation=False)
        self.adds = lift(lambda c, o: self.stride == 1 and c == o, channels, out)
        self.residual = self.adds is True  # then it may begin as the identity
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, out, H / stride, W / stride], rounded up."""
        return add_where(self.adds, x, self.project(self.depthwise(self.expand(x))))


def _values(number: Any) -> tuple[Any, ...]:
    """What a number that follows from at most one gate can be, in the order of the gate."""
    return number.values if isinstance(number, Elastic) else (number,)


def _expansion(channels: Width, expansion: Width, hidden: Width) -> nn.Module:
    """The layer to the hidden channels; blocks of expansion 1 have none."""
    absent = lift(lambda t: t == 1, expansion)
    if absent is True:
        return nn.Identity()
    if absent is False:
        return convolution(channels, hidden)
    where_present = lift(lambda h, none: 0 if none else h, hidden, absent)
    return Unless(absent, convolution(channels, where_present), hidden)


class ElasticMobileNetV2(MobileNetV2):
    """A MobileNetV2 with elastic numbers of channels; `build_for` makes the supernet."""

    def build_for(self, shape: Shape, classes: int) -> MobileNetV2:
        """Make every layer at its largest, with fresh weights; returns itself."""
        channels: Any = lift(lambda s, w: make_divisible(s * w), self.stem_filters, self.width)
        self.stem = convolution(shape[0], channels, 3, self.stem_stride)
        for block in self.blocks:
            if isinstance(block, Assembled):
                channels = block.assemble(channels, self.width)
        head = lift(lambda h, w: make_divisible(h * max(1.0, w)), self.head_filters, self.width)
        self.head = convolution(channels, head)
        self.dropout = nn.Dropout(self.dropout_rate)
        self.classifier = SlicedLinear(head, classes)
        self.apply(_initialise)
        return self


@elastic_rule(InvertedResidual, "filters", "kernel_size", "expansion", "multiplier")
def inverted_residual(node: Symbol, build: Build) -> nn.Module:
    """The block with shared weights.

    Raises:
        UserError: a kernel size that the block refuses.
    """
    try:
        return ElasticInvertedResidual(
            elastic(node.get("filters")),
            node.get("stride"),
            elastic(node.get("kernel_size")),
            elastic(node.get("expansion")),
            elastic(node.get("multiplier")),
        )
    except ValueError as error:
        raise UserError(str(error), node.mark) from None


@elastic_rule(MobileNetV2, "width", "stem", "head", "blocks")
def mobilenet_v2(node: Symbol, build: Build) -> nn.Module | None:
    """The network with shared weights; not for a choice between whole lists of blocks."""
    blocks = node.get("blocks")
    if isinstance(blocks, Open):
        return None
    if blocks is None:
        blocks = [ElasticInvertedResidual(f, s, expansion=t) for f, s, t in MOBILENET_V2_BLOCKS]
    else:
        blocks = [_block(block, build) for block in blocks]
    return ElasticMobileNetV2(
        elastic(node.get("width")),
        elastic(node.get("stem")),
        elastic(node.get("head")),
        blocks,
        node.get("stem_stride"),
        node.get("dropout"),
    )


def _block(block: Any, build: Build) -> Any:
    """A block that takes elastic numbers of channels, though nothing in it may be open."""
    if isinstance(block, Open):
        return Switch([_block(each, build) for each in _bound(block, block.gate)], block.gate)
    if not isinstance(block, Symbol) or block.type.target is not InvertedResidual:
        return build(block)
    stride = block.get("stride")
    if isinstance(stride, Open):  # nothing is shared between strides
        return Switch([_block(each, build) for each in _bound(block, stride.gate)], stride.gate)
    return inverted_residual(block, build)


def _bound(value: Any, gate: Gate) -> list[Any]:
    """A value under each candidate of a gate."""
    return [bind(value, gate, gate.point.at(i)) for i in range(gate.size)]
