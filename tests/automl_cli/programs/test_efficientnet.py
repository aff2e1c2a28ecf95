"""EfficientNet: golden numbers, squeeze and excitation, drop path by the linear rule, sharing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing.supernet import lower
from automl_cli import costs
from automl_cli.costs.counting import count, count_program
from automl_cli.programs.efficientnet import EfficientNet, MBConv, SqueezeExcite
from automl_cli.programs.fused_inverted_residual import FusedInvertedResidual
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2, Skip
from automl_cli.recipe import load_recipe
from automl_spaces.choices import oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.threads import one_thread

from .supernets import assert_close, assert_equals_stand_alone, mix_one_hot, supernet

Block, Net, Fused = map(symbolize, (MBConv, EfficientNet, FusedInvertedResidual))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """One."""
    with one_thread():
        yield


class Images:
    """Stands for a data set: a shape and a number of classes."""

    def __init__(self, size: int = 224, classes: int = 1000) -> None:
        self.shape, self.classes = (3, size, size), classes


def train(model: Any, data: Any) -> float:
    """Stands for a trainer."""
    return 0.0


def network(blocks: list[Any] | None, **options: Any) -> Any:
    """A narrow one."""
    options = {"width": 0.5, "stem": 16, "head": 40, "stem_stride": 1, "blocks": blocks} | options
    return Net(**options)


def test_golden_numbers() -> None:
    """EfficientNet-B0 has 5,288,548 parameters, as published (5.3 M), and 386 M multiply-adds."""
    model = EfficientNet().build_for((3, 224, 224), 1000)
    assert count(model, (3, 224, 224)) == (385_814_752, 5_288_548)


@pytest.mark.slow
def test_it_is_torchvisions() -> None:
    """With the weights of theirs, in their order, outputs are equal; and so are the rates."""
    try:
        from torchvision.models import efficientnet_b0
    except Exception as error:  # noqa: BLE001 - a wheel that does not fit raises anything
        pytest.skip(f"needs torchvision: {error}")
    theirs, ours = efficientnet_b0().eval(), EfficientNet().build_for((3, 96, 96), 1000).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name in ("weight", "running_mean", "running_var"):
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
    blocks = [block for stage in theirs.features[1:8] for block in stage]
    pairs = [(ours.stem, theirs.features[0]), (ours.head, theirs.features[8])]
    pairs += [(ours.classifier, theirs.classifier[1])]
    for block, other in zip(ours.blocks, blocks, strict=True):
        *expand, depthwise, excite, project = other.block
        pairs += [(block.expand, each) for each in expand]
        pairs += [(block.depthwise, depthwise), (block.project, project)]
        pairs += [(block.excite.layers[0], excite.fc1), (block.excite.layers[2], excite.fc2)]
        assert block.rate == pytest.approx(other.stochastic_depth.p)
    for one, other in pairs:
        one.load_state_dict(other.state_dict())
    x = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad():
        assert_close(ours.double()(x), theirs.double()(x))


@pytest.mark.parametrize("size", [33, 224])
def test_closed_form_equals_counting(size: int) -> None:
    """The default blocks, and blocks of every kind and size in both networks."""
    rng = random.Random(size)

    def sizes() -> dict[str, Any]:
        return {
            "stride": rng.choice([1, 2]),
            "kernel_size": rng.choice([3, 5, 7]),
            "expansion": rng.choice([1, 3, 6]),
            "multiplier": rng.choice([0.5, 1.0, 1.5]),
        }

    mixed = [
        Block(24, **sizes(), squeeze_excite=rng.choice([0.0, 0.1, 0.25])),
        symbolize(Skip)(),
        Fused(32, **sizes(), groups=2),
        symbolize(InvertedResidual)(40, **sizes()),
        Block(40, **sizes()),
    ]
    models = [Net(), Net(blocks=mixed, width=0.5), symbolize(MobileNetV2)(blocks=mixed, width=1.4)]
    for model in models:
        program = symbolize(train)(model, symbolize(Images)(size, 7))
        found = tuple(costs.load(name)(program) for name in ("madds", "params"))
        assert found == tuple(count_program(program))


def test_squeeze_and_excitation_weighs_channels() -> None:
    """Every channel of an image by one number from 0 to 1, which depends on all of them."""
    excite, x = SqueezeExcite(8, 2, nn.SiLU), torch.rand(3, 8, 4, 4) + 1
    factors = (excite(x) / x).flatten(2)
    assert torch.allclose(factors.amin(2), factors.amax(2), atol=1e-6)
    assert ((factors > 0) & (factors < 1)).all()
    other = x.clone()
    other[:, 0] += 1
    assert not torch.equal(excite(other)[:, 1:], excite(x)[:, 1:])


def test_drop_path_rises_linearly() -> None:
    """Block i of n has rate * i / n where it adds its input; a block's own rate stays."""
    blocks: list[nn.Module] = [MBConv(16, expansion=1), MBConv(16), MBConv(24), MBConv(24)]
    blocks.append(MBConv(24, drop_path=0.5))
    model = EfficientNet(blocks=blocks, drop_path=0.2, stem=16).build_for((3, 16, 16), 5)
    rates = [block.drop.rate for block in model.blocks]
    assert rates == pytest.approx([0.0, 0.04, 0.0, 0.12, 0.5])  # the third has other channels
    again = EfficientNet(blocks=blocks, drop_path=0.4, stem=16).build_for((3, 16, 16), 5)
    assert again.blocks[1].drop.rate == pytest.approx(0.08)  # type: ignore[union-attr]


def test_wrong_rates_are_refused() -> None:
    """When the network is built, of the network and of a block."""
    for options in ({"drop_path": 1.5}, {"blocks": [MBConv(32, drop_path=-1.0)]}):
        with pytest.raises(ValueError, match="from 0 to less than 1"):
            EfficientNet(**options).build_for((3, 16, 16), 5)  # type: ignore[arg-type]


def test_without_attention_and_swish_it_is_mobilenet() -> None:
    """The variant for accelerators: the layers of an inverted residual block, by name and shape."""
    plain = MBConv(24, squeeze_excite=0.0, activation="relu6")
    other = InvertedResidual(24)
    for block in (plain, other):
        block.assemble(16, 1.0)
    plain.load_state_dict(other.state_dict())
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(plain.eval()(x), other.eval()(x))


def check(net: Any, records: int = 3) -> None:
    """Random paths, and mixtures of weights 0 and 1, are their stand-alone networks."""
    rng = random.Random(1)
    for _ in range(records):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_sizes_are_shared() -> None:
    """Kernels, expansions, filters and attention, with drop path on."""
    sizes = {"kernel_size": oneof([3, 5]), "expansion": oneof([3, 6])}
    blocks = [
        Block(16, expansion=1, multiplier=oneof([0.5, 1.0])),
        Block(32, **sizes, squeeze_excite=oneof([0.0, 0.25])),
        Block(32, multiplier=oneof([1.0, 1.5]), **sizes),
        Block(32, **sizes),
    ]
    check(supernet(network(blocks, dropout=0.0, drop_path=0.6)))


def test_the_rate_of_the_network_is_a_choice() -> None:
    """One network whose gate says the rate: its weights exist once, and every rate is exact."""
    blocks = [Block(16, expansion=1), *[Block(16) for _ in range(3)]]
    net = supernet(network(blocks, dropout=0.0, drop_path=oneof([0.0, 0.1, 0.5])))
    assert not net.switched()
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_the_default_blocks_are_shared_too() -> None:
    """Those of EfficientNet-B0, where nothing is written about them."""
    net = supernet(Net(width=0.1, head=40, dropout=0.0, drop_path=oneof([0.0, 0.5])))
    record = net.space.sample(random.Random(1))
    net.choose(record)
    assert_equals_stand_alone(net, record)


def test_each_block_may_choose_its_rate() -> None:
    """None stands for the rule of the network; skips and other filters in between."""
    blocks = [
        Block(16, expansion=1, multiplier=oneof([1.0, 2.0])),
        Block(16, drop_path=oneof([None, 0.3, 0.6])),
        oneof([Block(16, drop_path=oneof([0.1, 0.4])), Fused(16)]),
    ]
    check(supernet(network(blocks, dropout=0.0, drop_path=oneof([0.0, 0.5]))), records=6)


def test_dropout_is_a_choice() -> None:
    """Of both networks; a path has the noise of the stand-alone network."""
    for make in (Net, symbolize(MobileNetV2)):
        net = supernet(make(blocks=[Block(16)], head=40, dropout=oneof([0.0, 0.3])))
        assert not net.switched()
        for record in net.space.enumerate():
            net.choose(record)
            assert_equals_stand_alone(net, record)


def test_the_shipped_recipes() -> None:
    """One rate for the network, one for each block, dropout too: all share one network."""
    blocks = "+overlays/drop_path_blocks.yaml"
    for space, decisions in (((), 1), ((blocks,), 8), ((blocks, "+overlays/dropout.yaml"), 9)):
        name = "autohas/efficientnet" if not space else "autohas/efficientnet_static"
        net = lower(Space.compile(load_recipe(name, space=list(space)).template))
        assert len(net.gates) == len(net.space.points) == decisions
        assert not net.switched()
        record = net.space.sample(random.Random(0))
        net.choose(record)
        alone = net.derive(record).model
        outputs = []
        for model in (net.model, alone):
            torch.manual_seed(0)
            outputs.append(model.double().train()(torch.ones(8, 1, 8, 8, dtype=torch.float64)))
        assert_close(*outputs)
