"""The layers of a symbolic MobileNetV2 in closed form; see `automl_cli.costs.layers`.

A test holds it equal to what hooks count on the real module.
"""

from __future__ import annotations

from automl_cli.costs.layers import LayerSpec, Shape
from automl_cli.programs.channels import MOBILENET_V2_BLOCKS, make_divisible
from automl_spaces.symbols import Symbol


def layers(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec] | None:
    """Every convolution, and the linear layer, first to last; None for blocks of other kinds."""
    blocks = _blocks(model)
    if blocks is None:
        return None
    width, stride = model.get("width"), model.get("stem_stride")
    channels = make_divisible(model.get("stem") * width)
    h, w = -(-shape[1] // stride), -(-shape[2] // stride)  # padding k // 2: sizes round up
    found = [LayerSpec("conv", shape[0], channels, h, w, 3, stride)]
    for filters, stride, kernel, expansion in blocks:
        hidden = channels * expansion
        if expansion != 1:
            found.append(LayerSpec("conv", channels, hidden, h, w))
        h, w = -(-h // stride), -(-w // stride)
        found.append(LayerSpec("depthwise", hidden, hidden, h, w, kernel, stride, hidden))
        found.append(LayerSpec("conv", hidden, filters, h, w))
        channels = filters
    head = make_divisible(model.get("head") * max(1.0, width))
    found.append(LayerSpec("conv", channels, head, h, w))
    found.append(LayerSpec("linear", head, classes, 1, 1, per_channel=1))
    return found


def _blocks(model: Symbol) -> list[tuple[int, int, int, int]] | None:
    """(output channels, stride, kernel size, expansion) of each block that computes."""
    width, blocks = model.get("width"), model.get("blocks")
    if blocks is None:
        return [(make_divisible(f * width), s, 3, t) for f, s, t in MOBILENET_V2_BLOCKS]
    found = []
    for block in blocks:
        if block.type.name == "InvertedResidual":
            out = make_divisible(block.get("filters") * block.get("multiplier") * width)
            kernel, expansion = block.get("kernel_size"), block.get("expansion")
            found.append((out, block.get("stride"), kernel, expansion))
        elif block.type.name.rpartition(".")[2] != "Identity":
            return None
    return found
