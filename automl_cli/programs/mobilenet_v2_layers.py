"""The layers of a symbolic MobileNetV2 in closed form; see `automl_cli.costs.layers`.

A test holds it equal to what hooks count on the real module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from automl_cli.costs.layers import LayerSpec, Shape
from automl_cli.programs.channels import MOBILENET_V2_BLOCKS, make_divisible
from automl_spaces.symbols import Symbol


class Block(NamedTuple):
    """What the layers of a block follow from; `filters` before any rounding."""

    filters: float
    stride: int
    kernel_size: int
    expansion: int
    squeeze_excite: float = 0.0
    groups: int = 0  # of a fused block; 0 when it is not fused


def layers(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec] | None:
    """Every convolution, and the linear layer, first to last; None for blocks of other kinds."""
    default = (Block(f, s, 3, t) for f, s, t in MOBILENET_V2_BLOCKS)
    return network_layers(model, default, shape, classes)


def network_layers(
    model: Symbol, default: Iterable[Block], shape: Shape, classes: int
) -> list[LayerSpec] | None:
    """The same for what is built as MobileNetV2 is, with `default` where its blocks are None."""
    blocks = default if model.get("blocks") is None else _blocks(model.get("blocks"))
    if blocks is None:
        return None
    width, stride = model.get("width"), model.get("stem_stride")
    channels = make_divisible(model.get("stem") * width)
    h, w = -(-shape[1] // stride), -(-shape[2] // stride)  # padding k // 2: sizes round up
    found = [LayerSpec("conv", shape[0], channels, h, w, 3, stride)]
    for block in blocks:
        found += _block_layers(block, channels, h, w, width)
        channels, h, w = found[-1].cout, found[-1].oh, found[-1].ow
    head = make_divisible(model.get("head") * max(1.0, width))
    found.append(LayerSpec("conv", channels, head, h, w))
    found.append(LayerSpec("linear", head, classes, 1, 1, per_channel=1))
    return found


def _block_layers(block: Block, channels: int, h: int, w: int, width: float) -> list[LayerSpec]:
    """Of one block on an image of h x w; the last has the block's output."""
    hidden, out = channels * block.expansion, make_divisible(block.filters * width)
    k, stride = block.kernel_size, block.stride
    oh, ow = -(-h // stride), -(-w // stride)
    found = []
    if block.groups:
        found.append(LayerSpec("conv", channels, hidden, oh, ow, k, stride, block.groups))
    else:
        if block.expansion != 1:
            found.append(LayerSpec("conv", channels, hidden, h, w))
        found.append(LayerSpec("depthwise", hidden, hidden, oh, ow, k, stride, hidden))
    if block.squeeze_excite:
        squeezed = max(1, int(channels * block.squeeze_excite))
        found.append(LayerSpec("conv", hidden, squeezed, 1, 1, per_channel=1))
        found.append(LayerSpec("conv", squeezed, hidden, 1, 1, per_channel=1))
    found.append(LayerSpec("conv", hidden, out, oh, ow))
    return found


def _blocks(blocks: list[Symbol]) -> list[Block] | None:
    """Those of the blocks that compute; None when one is of an unknown kind."""
    found = []
    for block in blocks:
        name = block.type.name.rpartition(".")[2]
        if name in ("InvertedResidual", "FusedInvertedResidual", "MBConv"):
            found.append(
                Block(
                    block.get("filters") * block.get("multiplier"),
                    block.get("stride"),
                    block.get("kernel_size"),
                    block.get("expansion"),
                    block.get("squeeze_excite") if name == "MBConv" else 0.0,
                    block.get("groups") if name == "FusedInvertedResidual" else 0,
                )
            )
        elif name not in ("Identity", "Skip"):
            return None
    return found
