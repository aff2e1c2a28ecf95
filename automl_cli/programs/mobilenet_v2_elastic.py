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

from automl_algorithms.weight_sharing.elastic import Build, Open, elastic_rule, find_rule
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
from automl_cli.programs.drop_path_elastic import ElasticDropout
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2, _initialise
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl_algorithms.weight_sharing.gates import Gate
    from automl_cli.programs.contracts import Shape


def convolution(
    cin: Width,
    cout: Width,
    kernel_size: Width = 1,
    stride: int = 1,
    groups: Width = 1,
    *,
    activation: type[nn.Module] | None = nn.ReLU6,
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
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers, ChannelMask(cout))


class ElasticBlock(InvertedResidual):
    """What an inverted residual block has in common with others whose sizes are elastic.

    It stands before the class of the block among the bases; that class's arguments, where they
    are sizes, may be elastic numbers.
    """

    def __init__(self, kernel_size: Any = 3, **arguments: Any) -> None:
        for size in _values(kernel_size):
            super().__init__(kernel_size=size, **arguments)  # refuses a wrong one
        self.kernel_size = kernel_size

    def assemble(self, channels: Any, width: Any) -> Any:
        """Make the layers for a number of input channels; either number may be elastic."""
        hidden: Any = lift(operator.mul, channels, self.expansion)
        out: Any = lift(
            lambda f, m, w: make_divisible(f * m * w), self.filters, self.multiplier, width
        )
        self.adds = lift(lambda c, o: self.stride == 1 and c == o, channels, out)
        self.residual = self.adds is True  # then it may begin as the identity
        self.make_layers(channels, hidden, out)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, out, H / stride, W / stride], rounded up."""
        return add_where(self.adds, x, self.branch(x))


class ElasticInvertedResidual(ElasticBlock):
    """An inverted residual block of which all but the stride may be open."""

    def make_layers(self, channels: Any, hidden: Any, out: Any) -> None:
        """The layers of the branch, each at its largest."""
        act = self.activation
        self.expand = _expansion(channels, self.expansion, hidden, act)  # type: ignore[assignment]
        self.depthwise = convolution(
            hidden, hidden, self.kernel_size, self.stride, groups=hidden, activation=act
        )
        self.project = convolution(hidden, out, activation=None)


def _values(number: Any) -> tuple[Any, ...]:
    """What a number that follows from at most one gate can be, in the order of the gate."""
    return number.values if isinstance(number, Elastic) else (number,)


def _expansion(
    channels: Width, expansion: Width, hidden: Width, activation: type[nn.Module]
) -> nn.Module:
    """The layer to the hidden channels; blocks of expansion 1 have none."""
    absent = lift(lambda t: t == 1, expansion)
    if absent is True:
        return nn.Identity()
    if absent is False:
        return convolution(channels, hidden, activation=activation)
    where_present = lift(lambda h, none: 0 if none else h, hidden, absent)
    layers = convolution(channels, where_present, activation=activation)
    return Unless(absent, layers, hidden)


class ElasticMobileNetV2(MobileNetV2):
    """A MobileNetV2 with elastic numbers of channels; `build_for` makes the supernet."""

    def build_for(self, shape: Shape, classes: int) -> MobileNetV2:
        """Make every layer at its largest, with fresh weights; returns itself."""
        act = self.activation
        channels: Any = lift(lambda s, w: make_divisible(s * w), self.stem_filters, self.width)
        self.stem = convolution(shape[0], channels, 3, self.stem_stride, activation=act)
        for block in self.blocks:
            if isinstance(block, Assembled):
                channels = block.assemble(channels, self.width)
        head = lift(lambda h, w: make_divisible(h * max(1.0, w)), self.head_filters, self.width)
        self.head = convolution(channels, head, activation=act)
        self.dropout = ElasticDropout(self.dropout_rate)  # type: ignore[assignment]
        self.classifier = SlicedLinear(head, classes)
        self.apply(_initialise)
        return self


def block_rule(made: Callable[..., nn.Module]) -> Callable[[Symbol, Build], nn.Module]:
    """The rule of a block all of whose shared arguments are numbers; see `elastic_rule`.

    Args:
        made: makes the shared block of the arguments that the static one was given.
    """

    def rule(node: Symbol, build: Build) -> nn.Module:
        try:
            return made(**{name: elastic(value) for name, value in node.args.items()})
        except ValueError as error:  # a size that the block refuses
            raise UserError(str(error), node.mark) from None

    return rule


elastic_rule(InvertedResidual, "filters", "kernel_size", "expansion", "multiplier")(
    block_rule(ElasticInvertedResidual)
)


@elastic_rule(MobileNetV2, "width", "stem", "head", "blocks", "dropout")
def mobilenet_v2(node: Symbol, build: Build) -> nn.Module | None:
    """The network with shared weights; not for a choice between whole lists of blocks.

    Raises:
        UserError: a rate of dropout that is none.
    """
    blocks = node.get("blocks")
    if isinstance(blocks, Open):
        return None
    if blocks is None:
        block = symbolize(InvertedResidual)
        blocks = [block(f, s, expansion=t) for f, s, t in MOBILENET_V2_BLOCKS]
    return shared_network(ElasticMobileNetV2, node, blocks, build)


def shared_network(
    made: Callable[..., nn.Module], node: Symbol, blocks: list[Any], build: Build
) -> nn.Module:
    """A network of shared blocks, with the other arguments of its node as numbers."""
    given = {name: elastic(value) for name, value in node.args.items() if name != "blocks"}
    return made(blocks=[shared_block(block, build) for block in blocks], **given)


def shared_block(block: Any, build: Build) -> Any:
    """A block that takes elastic numbers of channels, though nothing in it may be open."""
    if isinstance(block, Open):
        return switched(block, block.gate, build)
    rule = find_rule(block) if isinstance(block, Symbol) else None
    if rule is None or not issubclass(block.type.target, InvertedResidual):
        return build(block)
    shares, make = rule
    for name, value in block.args.items():
        if isinstance(value, Open) and name not in shares:  # a stride: nothing is shared
            return switched(block, value.gate, build)
    return make(block, build)


def switched(block: Any, gate: Gate, build: Build) -> Switch:
    """A block under each candidate of a gate."""
    bound = [bind(block, gate, gate.point.at(i)) for i in range(gate.size)]
    return Switch([shared_block(each, build) for each in bound], gate)
