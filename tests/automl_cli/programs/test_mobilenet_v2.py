"""MobileNetV2: shapes, the channel rule, blocks that can be exchanged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from automl_cli.programs.channels import MOBILENET_V2_BLOCKS, make_divisible
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2


def test_the_papers_blocks() -> None:
    """17 blocks in 7 stages; only the first has no expansion; 16 times smaller at the end."""
    assert len(MOBILENET_V2_BLOCKS) == 17
    assert [t for _, _, t in MOBILENET_V2_BLOCKS] == [1] + [6] * 16
    assert [f for f, _, _ in MOBILENET_V2_BLOCKS[::4]] == [16, 32, 64, 96, 320]
    assert sum(s == 2 for _, s, _ in MOBILENET_V2_BLOCKS) == 4


@pytest.mark.parametrize(
    ("channels", "rounded"), [(32 * 0.35, 16), (16 * 0.35, 8), (24 * 0.5, 16), (20, 24), (3, 8)]
)
def test_channels_are_multiples_of_eight(channels: float, rounded: int) -> None:
    """To the nearest, halves up, but never more than a tenth down: 11.2 becomes 16, not 8."""
    assert make_divisible(channels) == rounded


@pytest.mark.parametrize("size", [(1, 8, 8), (3, 33, 20)])
def test_shapes(size: tuple[int, int, int]) -> None:
    """Images of any size and number of channels become logits."""
    model = MobileNetV2(0.35, stem_stride=1).build_for(size, 7)
    assert model(torch.zeros(2, *size)).shape == (2, 7)
    assert model.stem(torch.zeros(2, *size)).shape == (2, 16, *size[1:])


def test_the_input_is_added_where_sizes_allow() -> None:
    """Ten of the paper's blocks are residual: same channels, stride 1."""
    model = MobileNetV2().build_for((3, 32, 32), 10)
    residual = [i for i, b in enumerate(model.blocks) if b.residual]
    assert residual == [2, 4, 5, 7, 8, 9, 11, 12, 14, 15]
    block = InvertedResidual(16)
    block.assemble(16, 1.0)
    nn.init.zeros_(block.project[1].weight)  # type: ignore[arg-type]
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block.eval()(x), x)


def test_a_block_of_expansion_one_does_not_expand() -> None:
    """The first 1 x 1 convolution is left out, as in the paper's first block."""
    block = InvertedResidual(16, expansion=1)
    assert block.assemble(8, 1.0) == 16
    assert isinstance(block.expand, nn.Identity)
    assert block.depthwise[0].in_channels == 8


def test_blocks_find_their_input_channels() -> None:
    """Dropping or changing a block needs no word about its neighbours."""
    blocks: list[nn.Module] = [
        InvertedResidual(16, expansion=1),
        nn.Identity(),
        InvertedResidual(24, kernel_size=7, multiplier=2.0),
        InvertedResidual(32, 2, kernel_size=5, expansion=3),
    ]
    model = MobileNetV2(blocks=blocks).build_for((1, 16, 16), 10)
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 10)
    assert model.blocks[3].expand[0].in_channels == 48  # type: ignore[index, union-attr]


def test_building_again_gives_fresh_weights_of_the_seed() -> None:
    """The seed of the moment decides the weights."""
    model = MobileNetV2(0.35)
    torch.manual_seed(0)
    first = model.build_for((1, 8, 8), 10).classifier.weight.clone()
    torch.manual_seed(0)
    assert torch.equal(model.build_for((1, 8, 8), 10).classifier.weight, first)
    assert not torch.equal(model.build_for((1, 8, 8), 10).classifier.weight, first)


def test_an_even_kernel_is_refused() -> None:
    """It would shift the image by half a pixel and change its size."""
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        InvertedResidual(16, kernel_size=4)
