"""Fused inverted residual blocks with shared weights; see `mobilenet_v2_elastic`.

The groups of a narrower convolution are other channels than those of the widest, so its weights
are no slice: with more than one group each expansion has weights of its own, and the number of
input channels must be certain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_algorithms.weight_sharing.elastic import Build, Open, elastic_rule
from automl_algorithms.weight_sharing.slicing import Elastic
from automl_cli.programs.fused_inverted_residual import FusedInvertedResidual, check_groups
from automl_cli.programs.mobilenet_v2_elastic import (
    ElasticBlock,
    block_rule,
    convolution,
    switched,
)
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from automl_spaces.symbols import Symbol


class ElasticFusedInvertedResidual(ElasticBlock, FusedInvertedResidual):
    """A fused block of which all but the stride and the groups may be open."""

    def make_layers(self, channels: Any, hidden: Any, out: Any) -> None:
        """The layers of the branch, each at its largest.

        Raises:
            UserError: groups of a number of channels that is a choice.
            ValueError: when the groups do not divide the input channels.
        """
        if self.groups > 1 and isinstance(channels, Elastic):
            raise UserError(
                f"weights cannot be shared by {self.groups} groups of {channels.values} channels",
                path=", ".join(gate.point.id for gate in channels.gates),
                hint="one group, or one number of filters for the blocks before it",
            )
        if self.groups > 1:
            check_groups(channels, self.groups)
        act = self.activation
        self.fused = convolution(
            channels, hidden, self.kernel_size, self.stride, self.groups, activation=act
        )
        self.project = convolution(hidden, out, activation=None)


_by_numbers = block_rule(ElasticFusedInvertedResidual)


@elastic_rule(FusedInvertedResidual, "filters", "kernel_size", "expansion", "multiplier")
def fused_inverted_residual(node: Symbol, build: Build) -> nn.Module:
    """The block with shared weights.

    Raises:
        UserError: a size that the block refuses.
    """
    expansion = node.get("expansion")
    if isinstance(expansion, Open) and node.get("groups") != 1:
        return switched(node, expansion.gate, build)
    return _by_numbers(node, build)
