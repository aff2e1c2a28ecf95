"""Fused inverted residual blocks: shapes, groups, and weights shared between their sizes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.programs.fused_inverted_residual import FusedInvertedResidual
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2
from automl_cli.recipe import load_recipe
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.threads import one_thread

from .supernets import assert_close, assert_equals_stand_alone, mix_one_hot, supernet

Block, Fused, Net = map(symbolize, (InvertedResidual, FusedInvertedResidual, MobileNetV2))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """One."""
    with one_thread():
        yield


def network(blocks: list[Any]) -> Any:
    """Half of the width, so that blocks have 16 channels in the end."""
    return Net(width=0.5, stem=16, head=40, stem_stride=1, blocks=blocks)


def check(net: Any, records: int = 4) -> None:
    """Random paths, and mixtures of weights 0 and 1, are their stand-alone networks."""
    rng = random.Random(0)
    for _ in range(records):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_the_first_two_convolutions_are_one() -> None:
    """k x k from the input to the hidden channels, then 1 x 1 to the output; the input is added."""
    block = FusedInvertedResidual(16, kernel_size=5, expansion=4, groups=2)
    assert block.assemble(16, 1.0) == 16
    assert block.fused[0].weight.shape == (64, 8, 5, 5)
    assert block.project[0].weight.shape == (16, 64, 1, 1)
    torch.nn.init.zeros_(block.project[1].weight)  # type: ignore[arg-type]
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block.eval()(x), x)
    halved = FusedInvertedResidual(24, stride=2)
    assert halved.assemble(16, 1.0) == 24
    assert halved(x).shape == (2, 24, 2, 2)


def test_groups_that_do_not_divide_are_refused() -> None:
    """With the numbers; an even kernel too, under the block's own name."""
    with pytest.raises(ValueError, match="groups=3 do not divide 16 channels"):
        FusedInvertedResidual(16, groups=3).assemble(16, 1.0)
    with pytest.raises(ValueError, match="FusedInvertedResidual: kernel_size must be odd, got 4"):
        FusedInvertedResidual(16, kernel_size=4)


def test_kernels_expansions_and_filters_are_shared() -> None:
    """Of one network with the parameters of its largest path."""
    sizes = {"kernel_size": oneof([3, 5, 7]), "expansion": oneof([1, 3, 6])}
    net = supernet(network([Fused(32, **sizes), Fused(32, multiplier=oneof([0.5, 1.0]), **sizes)]))
    assert not net.switched()
    check(net)
    most = {point.id: max(point.numbers or ()) for point in net.space.points}
    largest = net.space.materialise(net.space.decode(most)).build().model
    found, wanted = (sum(p.numel() for p in model.parameters()) for model in (net.model, largest))
    assert found == wanted


def test_the_kind_of_each_block_is_a_choice() -> None:
    """Each kind has weights of its own, shared between its sizes; around them nothing is copied."""

    def either(filters: int, stride: int = 1) -> Any:
        return oneof(
            [
                Block(filters, stride, oneof([3, 5]), oneof([3, 6])),
                Fused(filters, stride, oneof([3, 5]), oneof([2, 4])),
            ]
        )

    net = supernet(network([Block(16, expansion=1), either(32), either(32), either(48, 2)]))
    check(net, records=6)


def test_groups_are_a_choice() -> None:
    """Nothing is shared between numbers of groups, nor between expansions of more than one."""
    net = supernet(
        network(
            [Fused(32, kernel_size=oneof([3, 5]), expansion=oneof([2, 4]), groups=oneof([1, 2]))]
        )
    )
    assert len(net.switched()) == 2
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_groups_of_open_channels_are_refused() -> None:
    """Their weights are no slices; the message names the choice and says what to do."""
    with pytest.raises(UserError, match=r"blocks\[0\].multiplier.*2 groups") as caught:
        supernet(network([Block(32, multiplier=oneof([0.5, 1.0])), Fused(32, groups=2)]))
    assert "one group" in str(caught.value)


def test_the_overlay() -> None:
    """Both kinds for every block of a static network but the first, which does not expand."""
    overlays = ["+overlays/mobilenet_s1.yaml", "+overlays/fused_ibn.yaml"]
    space = Space.compile(load_recipe("autohas/static", space=overlays).template)
    assert space.size == 3 * (6 + 6) ** 8
    record = space.sample(random.Random(0))
    model = space.materialise(record).get("model").build()
    kinds = {type(block) for block in model.blocks}
    assert kinds == {InvertedResidual, FusedInvertedResidual}
    static = load_recipe("autohas/static").program.get("model").build()
    for block, original in zip(model.blocks, static.blocks, strict=True):
        assert (block.filters, block.stride) == (original.filters, original.stride)
    net = lower(space)
    net.choose(record)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    alone = net.derive(record).model.double().eval()
    assert_close(net.model.double().eval()(x), alone(x))
