"""The layers of a symbolic EfficientNet in closed form; see `automl_cli.costs.layers`.

A test holds it equal to what hooks count on the real module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_cli.programs.channels import EFFICIENTNET_B0_BLOCKS
from automl_cli.programs.mobilenet_v2_layers import Block, network_layers

if TYPE_CHECKING:
    from automl_cli.costs.layers import LayerSpec, Shape
    from automl_spaces.symbols import Symbol


def layers(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec] | None:
    """Every convolution, and the linear layer, first to last; None for blocks of other kinds."""
    default = (Block(f, s, k, t, 0.25) for f, s, k, t in EFFICIENTNET_B0_BLOCKS)
    return network_layers(model, default, shape, classes)
