"""EfficientNet with shared weights: sizes as MobileNetV2 shares them, and rates by their gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from automl_algorithms.weight_sharing.elastic import Build, Open, elastic_rule
from automl_algorithms.weight_sharing.masks import ChannelMask
from automl_algorithms.weight_sharing.slicing import Elastic, Width, lift
from automl_algorithms.weight_sharing.slicing_layers import SlicedConv2d
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.programs.channels import EFFICIENTNET_B0_BLOCKS
from automl_cli.programs.drop_path_elastic import ElasticDropPath
from automl_cli.programs.efficientnet import (
    EfficientNet,
    MBConv,
    SqueezeExcite,
)
from automl_cli.programs.mobilenet_v2_elastic import (
    ElasticInvertedResidual,
    ElasticMobileNetV2,
    block_rule,
    shared_network,
)
from automl_spaces.registry import symbolize

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol


class ElasticSqueezeExcite(SqueezeExcite):
    """Squeeze and excitation of elastic numbers of channels."""

    def __init__(self, channels: Width, squeezed: Width, activation: type[nn.Module]) -> None:
        nn.Module.__init__(self)
        self.layers = nn.Sequential(
            SlicedConv2d(channels, squeezed, 1),
            nn.Sequential(activation(inplace=True), ChannelMask(squeezed)),
            SlicedConv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )


class ElasticMBConv(ElasticInvertedResidual, MBConv):
    """A block of which all but the stride and the activation may be open."""

    def follow(self, drop_path: Any, share: float) -> None:
        """Take a share of the network's rate of drop path, unless the block has its own."""
        rate: Any = lift(
            lambda rate, own: rate * share if own is None else own, drop_path, self.drop_path
        )
        self.rate = rate

    def make_layers(self, channels: Any, hidden: Any, out: Any) -> None:
        """The layers of the branch, each at its largest."""
        super().make_layers(channels, hidden, out)
        self.excite = self.attention(channels, hidden)
        rate = lift(lambda r, adds: r if adds else 0.0, self.rate, self.adds)
        self.drop = ElasticDropPath(rate)  # type: ignore[assignment]

    def attention(self, channels: Any, hidden: Any) -> nn.Module:
        """The squeeze and excitation of the hidden channels; one of its own for each ratio."""

        def of(ratio: float) -> nn.Module:
            if not ratio:
                return nn.Identity()
            squeezed = lift(lambda c: max(1, int(c * ratio)), channels)
            return ElasticSqueezeExcite(hidden, squeezed, self.activation)

        ratio: Any = self.squeeze_excite
        if isinstance(ratio, Elastic):
            return Switch([of(each) for each in ratio.values], ratio.gates[0])
        return of(ratio)


class ElasticEfficientNet(EfficientNet, ElasticMobileNetV2):
    """An EfficientNet with elastic numbers; `build_for` makes the supernet."""


elastic_rule(
    MBConv, "filters", "kernel_size", "expansion", "multiplier", "squeeze_excite", "drop_path"
)(block_rule(ElasticMBConv))


@elastic_rule(EfficientNet, "width", "stem", "head", "blocks", "dropout", "drop_path")
def efficientnet(node: Symbol, build: Build) -> nn.Module | None:
    """The network with shared weights; not for a choice between whole lists of blocks."""
    blocks = node.get("blocks")
    if isinstance(blocks, Open):
        return None
    if blocks is None:
        blocks = [symbolize(MBConv)(*sizes) for sizes in EFFICIENTNET_B0_BLOCKS]
    return shared_network(ElasticEfficientNet, node, blocks, build)
