"""The supernet of MobileNetV2: each of its paths is the stand-alone network."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.programs.channels import make_divisible
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2
from automl_cli.recipe import load_recipe
from automl_spaces.choices import floatv, intv, oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.threads import one_thread

from .supernets import (
    Task,
    assert_close,
    assert_equals_stand_alone,
    images,
    mix_one_hot,
    supernet,
)

Block, Net = symbolize(InvertedResidual), symbolize(MobileNetV2)
MULTIPLIERS = [0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0]
SPACES = [{"s1": True}, {"s2": True}, {"s1": True, "s2": True}]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """One."""
    with one_thread():
        yield


def block(filters: int, stride: int, expansion: int, *, s1: bool = False, s2: bool = False) -> Any:
    """A block with the choices of the spaces S1 and S2."""
    args: dict[str, Any] = {"filters": filters, "stride": stride, "expansion": expansion}
    if s1:
        args["kernel_size"] = oneof([3, 5, 7])
        args["expansion"] = 1 if expansion == 1 else oneof([3, 6])
    if s2:
        args["multiplier"] = oneof(MULTIPLIERS)
    return Block(**args)


def network(blocks: list[Any] | None = None, **space: bool) -> Any:
    """Five blocks: without expansion, halving, and residual ones."""
    sizes = [(16, 1, 1), (24, 2, 6), (24, 1, 6), (32, 2, 6), (32, 1, 6)]
    blocks = blocks or [block(*size, **space) for size in sizes]
    return Net(width=0.5, stem=16, head=40, stem_stride=1, blocks=blocks)


@pytest.mark.parametrize("space", SPACES)
def test_a_path_is_the_stand_alone_network(space: dict[str, bool]) -> None:
    """Random records of S1, S2 and S3, sampled, and as mixtures of weights 0 and 1."""
    net = supernet(network(**space))
    rng = random.Random(0)
    for _ in range(3):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_sizes_of_the_whole_network() -> None:
    """Width, stem and head too, with the paper's blocks, or with blocks of which one is open."""
    sizes = {"width": oneof([0.1, 0.2]), "stem": oneof([16, 64]), "head": oneof([24, 40])}
    fixed = [Block(16, expansion=1), Block(24), Block(24, kernel_size=oneof([3, 5]))]
    for blocks in (None, fixed):
        net = supernet(Net(blocks=blocks, stem_stride=2, **sizes))
        record = net.space.sample(random.Random(2))
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_a_block_may_have_no_expansion() -> None:
    """Expansion 1 leaves the layer out: no weights in the stand-alone network, none used here."""
    blocks = [Block(16, expansion=oneof([1, 3]), multiplier=oneof([0.5, 1.0])) for _ in range(3)]
    net = supernet(network(blocks))
    assert net.space.size == 4**3
    for record in random.Random(0).sample(list(net.space.enumerate()), 4):
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_a_residual_connection_stands_where_the_widths_agree() -> None:
    """With the same multiplier the input is added, with others not; roundings decide as well."""
    net = supernet(network([Block(32, multiplier=oneof(MULTIPLIERS)) for _ in range(2)]))
    second = net.model.blocks[1]  # type: ignore[index]
    for record in net.space.enumerate():
        a, b = (make_divisible(32 * 0.5 * m) for m in record.as_dict().values())
        assert second.adds.at(lambda gate, r=record: r.values[gate.point.index]) == (a == b)


def test_a_block_begins_as_the_identity_only_if_it_always_adds() -> None:
    """Without the input, a scale of zero would leave nothing for the blocks behind."""
    always, sometimes = (
        lower(Space.compile(symbolize(Task)(network(**space)))).model for space in SPACES[:2]
    )
    last = [model.blocks[4].project[1].weight for model in (always, sometimes)]
    assert not last[0].any()
    assert (last[1] == 1).all()


def test_all_choices_share_all_weights() -> None:
    """S3 has the parameters of its largest network, no more."""
    net = supernet(network(s1=True, s2=True))
    most = {point.id: max(point.numbers or ()) for point in net.space.points}
    largest = net.space.materialise(net.space.decode(most)).build().model
    found, wanted = (sum(p.numel() for p in model.parameters()) for model in (net.model, largest))
    assert found == wanted


def test_a_name_shared_by_blocks_is_one_choice() -> None:
    """The widths of a stage then move together, and its blocks always add."""
    blocks = [Block(24, multiplier=oneof([1.0, 2.0], name="stage")) for _ in range(2)]
    net = supernet(network(blocks))
    assert net.model.blocks[1].residual is True  # type: ignore[index]
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_blocks_that_are_choices() -> None:
    """Skips, and blocks of other kinds of sizes, in switches between elastic blocks."""
    skippable = oneof(
        [Block(24, kernel_size=oneof([3, 5]), expansion=oneof([3, 6])), symbolize(nn.Identity)()]
    )
    net = supernet(network([Block(24), skippable, Block(32, multiplier=oneof([1.0, 2.0]))]))
    rng = random.Random(0)
    for _ in range(4):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_strides_share_nothing() -> None:
    """The block is copied for each stride, and what follows it reads either."""
    first = Block(24, stride=oneof([1, 2]), multiplier=oneof([1.0, 2.0]))
    net = supernet(network([first, Block(24, kernel_size=oneof([3, 5]))]))
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)


class Tower(nn.Module):
    """A user's own network of blocks, which knows nothing of shared weights."""

    def __init__(self, blocks: list[InvertedResidual]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def build_for(self, shape: tuple[int, int, int], classes: int) -> Tower:
        """The blocks, a mean and a linear layer."""
        channels = shape[0]
        for block in self.blocks:
            channels = block.assemble(channels, 0.5)  # type: ignore[operator]
        self.classifier = nn.Linear(channels, classes)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, classes]."""
        logits: Tensor = self.classifier(self.blocks(x).mean((2, 3)))
        return logits


def test_blocks_in_another_network() -> None:
    """Kernels and expansions are shared anywhere; open filters need a network that knows them."""
    net = supernet(symbolize(Tower)([block(16, 1, 6, s1=True), block(16, 2, 6, s1=True)]))
    record = net.space.sample(random.Random(0))
    net.choose(record)
    assert_equals_stand_alone(net, record)
    with pytest.raises(UserError, match="cannot be built around a choice"):
        supernet(symbolize(Tower)([block(16, 1, 6, s2=True)]))


def test_a_skip_around_a_block_of_open_filters_is_refused() -> None:
    """What comes out would have one width or several; the message names the choice."""
    skippable = oneof([Block(24, multiplier=oneof([1.0, 2.0])), symbolize(nn.Identity)()])
    with pytest.raises(UserError, match=r"blocks\[1\].*output channels of its candidates disagree"):
        supernet(network([Block(24), skippable]))


def test_an_even_kernel_is_refused() -> None:
    """As the block alone refuses it."""
    with pytest.raises(UserError, match="kernel_size must be odd, got 4"):
        supernet(network([Block(24, kernel_size=oneof([3, 4]))]))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("multiplier", floatv(0.5, 1.0, step=0.25)), ("kernel_size", intv(3, 7, step=2))],
)
def test_sizes_on_a_grid(name: str, sizes: Any) -> None:
    """They are candidates like others."""
    net = supernet(network([Block(24, **{name: sizes})]))
    assert net.space.size == 3
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_a_continuum_of_sizes_is_refused() -> None:
    """Its networks have no list of widths to make masks for."""
    with pytest.raises(UserError, match=r"multiplier.*give it a step"):
        supernet(network([Block(24, multiplier=floatv(0.5, 1.0))]))


def test_interpolation_between_two_widths() -> None:
    """TAS: all of the weight on the wider is its path; both weights have a gradient."""
    net = supernet(network(s2=True))
    assert all(gate.size == 7 for gate in net.gates.values())
    q = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    for gate in net.gates.values():
        gate.interpolate(5, 2, q)
    mixed = net.model.train()(images())
    mixed.square().sum().backward()
    assert q.grad is not None
    assert q.grad.all()
    net.choose(net.space.decode({p.id: 1.5 for p in net.space.points}))
    assert_close(mixed, net.model(images()))


def test_a_soft_mixture_reaches_every_weight() -> None:
    """Every candidate of every gate and every parameter gets a gradient."""
    net = supernet(network(s1=True, s2=True))
    weights = {
        i: torch.full((g.size,), 1 / g.size, dtype=torch.float64, requires_grad=True)
        for i, g in net.gates.items()
    }
    net.mix(weights)
    net.model.train()(images()).square().sum().backward()
    for tensor in (*weights.values(), *net.model.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.any()


def test_hard_choices_have_the_value_of_the_path() -> None:
    """Whichever way the gradient takes."""
    net = supernet(network(s1=True, s2=True))
    record = net.space.sample(random.Random(0))
    net.choose(record)
    wanted = net.model.eval()(images())
    for gradient in ("all", "selected"):
        for i, gate in net.gates.items():
            weights = torch.full((gate.size,), 1 / gate.size, dtype=torch.float64)
            gate.pick(weights, int(record.values[i] or 0), gradient)
        assert_close(net.model(images()), wanted)


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_the_shipped_recipes(name: str) -> None:
    """Their networks of 17 blocks, as the recipes have them, without a word of change."""
    net = lower(Space.compile(load_recipe(f"mobilenet/{name}").template))
    record = net.space.sample(random.Random(0))
    net.choose(record)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    alone = net.derive(record).model.double().eval()
    assert_close(net.model.double().eval()(x), alone(x))
