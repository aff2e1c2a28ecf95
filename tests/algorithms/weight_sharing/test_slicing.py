"""Elastic numbers, and layers that use the first channels of their weights."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from automl_algorithms.weight_sharing.elastic import Open, derived_state
from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.masks import ChannelMask
from automl_algorithms.weight_sharing.slicing import Elastic, at, computed, elastic, largest, lift
from automl_algorithms.weight_sharing.slicing_layers import (
    SlicedBatchNorm2d,
    SlicedConv2d,
    SlicedLinear,
)
from automl_spaces.errors import UserError
from automl_spaces.points import Point

from .test_masks import gate, images

# Numbers.


def test_a_number_follows_from_all_its_gates() -> None:
    """Every joint choice has its value; plain arguments stay what they are."""
    a, b = gate(2, "a"), gate(3, "b")
    number = lift(lambda x, y, z: x * y + z, Elastic([a], [10, 20]), Elastic([b], [1, 2, 3]), 5)
    assert isinstance(number, Elastic)
    assert number.values == (15, 25, 35, 25, 45, 65)
    a.choose(1), b.choose(2)
    assert (computed(number), largest(number)) == (65, 65)
    a.choose(0)
    assert number.terms().values == [35]
    assert at(number, {a: 1, b: 0}.__getitem__) == 25


def test_a_gate_that_is_shared_is_one_choice() -> None:
    """Numbers of the same gate move together: equal widths of one name are always equal."""
    a = gate(2)
    one, other = Elastic([a], [1, 2]), Elastic([a], [3, 6])
    assert lift(operator.mul, one, other) == Elastic([a], [3, 12])
    assert lift(lambda x, y: 3 * x == y, one, other) is True


def test_a_number_that_no_choice_changes_is_plain() -> None:
    """Rounding may make candidates equal; nothing depends on the gate then."""
    assert lift(lambda x: x // 4, Elastic([gate(2)], [4, 5])) == 1
    assert lift(operator.add, 1, 2) == 3


def test_weights_of_terms() -> None:
    """Those of gates that have chosen are 1; interpolation counts two values of each."""
    a, b = gate(2, "a"), gate(3, "b")
    number = lift(operator.mul, Elastic([a], [1, 10]), Elastic([b], [1, 2, 3]))
    assert isinstance(number, Elastic)
    a.choose(1)
    b.mix(torch.tensor([0.5, 0.25, 0.25]))
    values, weights, interpolated = number.terms()
    assert weights is not None
    assert (values, weights.tolist(), interpolated) == ([10, 20, 30], [0.5, 0.25, 0.25], False)
    a.interpolate(1, 0, torch.tensor([0.75, 0.25]))
    b.interpolate(0, 2, torch.tensor([0.5, 0.5]))
    values, weights, interpolated = number.terms()
    assert weights is not None
    assert (values, interpolated) == ([10, 30, 1, 3], True)
    assert weights.tolist() == [0.375, 0.375, 0.125, 0.125]


def test_numbers_of_too_many_choices_are_refused() -> None:
    """With the names of the choices."""
    many = [Elastic([gate(10, f"width{i}")], range(10)) for i in range(6)]
    with pytest.raises(UserError, match=r"6 choices with 1,000,000 combinations: width0, width1"):
        lift(lambda *numbers: sum(numbers), *many)


def test_a_size_needs_one_choice_for_a_pass() -> None:
    """Drawing afresh at each use would give a layer and its mask different widths."""
    chooser = gate(2)
    chooser.draw(lambda: 0)
    with pytest.raises(RuntimeError, match="width is a size"):
        Elastic([chooser], [1, 2]).terms()


def test_a_choice_within_a_choice_of_a_size_is_refused() -> None:
    """The inner gate says nothing where it does not count."""
    inner = Open(gate(2, "inner"), (1, 2))
    with pytest.raises(UserError, match=r"outer.*choice inside of a choice"):
        elastic(Open(gate(2, "outer"), (inner, 3)))
    assert elastic(7) == 7
    assert largest(elastic(Open(gate(2), (3, 4)))) == 4


def test_a_continuum_of_sizes_is_refused() -> None:
    """There are no candidates to make masks for."""
    point = Point("width", "float", min=0.5, max=2.0)
    with pytest.raises(UserError, match=r"width.*give it a step"):
        elastic(Open(Gate(point), ()))


# Layers. Each stack is written once, and made of layers of either kind.


class Kit:
    """The layers of torch.nn for one width, or the elastic ones for all."""

    def __init__(self, width: Any) -> None:
        self.sliced = isinstance(width, Elastic)
        self.width = width
        self.norm: Callable[[Any], nn.Module] = SlicedBatchNorm2d if self.sliced else nn.BatchNorm2d
        self.conv: Any = SlicedConv2d if self.sliced else nn.Conv2d
        self.linear: Any = SlicedLinear if self.sliced else nn.Linear

    def mask(self, width: Any) -> nn.Module:
        """Nothing in a network of one width."""
        return ChannelMask(width) if self.sliced else nn.Identity()

    def layer(self, cin: Any, cout: Any, size: int = 1, **options: Any) -> nn.Sequential:
        """Convolution, normalisation, ReLU."""
        conv = self.conv(cin, cout, size, padding=size // 2, **options)
        return nn.Sequential(conv, self.norm(cout), self.mask(cout), nn.ReLU(), self.mask(cout))


class SqueezeExcite(nn.Module):
    """Channels scaled by what a small network makes of their means (Hu et al. 2018)."""

    def __init__(self, kit: Kit, channels: Any) -> None:
        super().__init__()
        hidden = lift(lambda c: max(1, c // 2), channels)
        self.reduce = nn.Sequential(kit.conv(channels, hidden, 1), nn.ReLU(), kit.mask(hidden))
        self.expand = kit.conv(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        scale: Tensor = self.expand(self.reduce(x.mean((2, 3), keepdim=True))).sigmoid()
        return x * scale


class Residual(nn.Sequential):
    """Layers that keep the number of channels, and the input added."""

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        output: Tensor = super().forward(input)
        return input + output


def stacks(kit: Kit) -> dict[str, nn.Module]:
    """Networks from 3 channels to 2 logits whose channels in between are the kit's width."""
    c = kit.width
    double = lift(lambda n: 2 * n, c)
    pairs = lift(lambda n: n // 2, c)
    middle = {
        "convolutions": kit.layer(c, c, 3),
        "depthwise": kit.layer(c, c, 3, groups=c),
        "groups of two": kit.layer(c, double, 3, groups=pairs),
        "squeeze and excite": SqueezeExcite(kit, c),
        "residual": Residual(kit.layer(c, double), kit.layer(double, c, 3)),
        "bias": nn.Sequential(kit.conv(c, c, 3, padding=1), nn.ReLU(), kit.mask(c)),
    }
    out = {name: double if name == "groups of two" else c for name in middle}
    return {
        name: nn.Sequential(
            kit.layer(3, c, 3, stride=2, bias=False),
            layers,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            kit.linear(out[name], 2),
        )
        for name, layers in middle.items()
    }


def use_path(chooser: Gate, index: int) -> None:
    """One path."""
    chooser.choose(index)


def use_one_hot(chooser: Gate, index: int) -> None:
    """A mixture with all of the weight on one."""
    chooser.mix(one_hot(torch.tensor(index), chooser.size).double())


def use_hard(chooser: Gate, index: int) -> None:
    """A hard choice with the gradient of all."""
    chooser.pick(torch.full((chooser.size,), 1 / chooser.size).double(), index)


@pytest.mark.parametrize("use", [use_path, use_one_hot, use_hard])
@pytest.mark.parametrize("name", stacks(Kit(2)))
def test_a_path_is_the_narrow_network(name: str, use: Callable[[Gate, int], None]) -> None:
    """Outputs, statistics and gradients to 1e-12; gradients outside of the slice exactly zero."""
    torch.manual_seed(0)
    chooser, widths = gate(3), [2, 4, 8]
    wide = stacks(Kit(Elastic([chooser], widths)))[name].double()
    for parameter in wide.parameters():
        nn.init.uniform_(parameter, -1, 1)
    for index, width in enumerate(widths):
        use(chooser, index)
        narrow = stacks(Kit(width))[name].double()

        def state(index: int = index) -> dict[str, Tensor]:
            return derived_state(wide, lambda gate: index)

        narrow.load_state_dict(state())
        wide.zero_grad()
        logits = [net.train()(images(3)) for net in (wide, narrow)]
        for each in logits:
            each.square().sum().backward()
        torch.testing.assert_close(*logits, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            wide.eval()(images(3)), narrow.eval()(images(3)), rtol=1e-12, atol=1e-12
        )
        saved = {key: value.clone() for key, value in wide.state_dict().items()}
        with torch.no_grad():
            for parameter in wide.parameters():
                assert parameter.grad is not None
                parameter.copy_(parameter.grad)  # so that gradients are sliced as weights are
            for key, parameter in narrow.named_parameters():
                torch.testing.assert_close(state()[key], parameter.grad, rtol=1e-12, atol=1e-12)
                state()[key].zero_()
        assert not any(parameter.any() for parameter in wide.parameters())
        wide.load_state_dict(saved)


def test_statistics_of_other_channels_stay() -> None:
    """A narrow pass moves the running statistics of its own channels alone."""
    norm = SlicedBatchNorm2d(6).double()
    norm(images(4))
    assert norm.running_mean is not None
    assert norm.running_mean[:4].all()
    assert not norm.running_mean[4:].any()
    assert norm.num_batches_tracked == 1


# Kernels.

SIZES = (3, 7, 5)


def sized(stride: int = 1) -> tuple[Gate, SlicedConv2d]:
    """A depthwise convolution of three kernel sizes."""
    chooser = gate(3)
    conv = SlicedConv2d(4, 4, Elastic([chooser], SIZES), groups=4, stride=stride).double()
    return chooser, conv


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("index", range(3))
def test_a_smaller_kernel_is_the_centre_of_the_largest(index: int, stride: int) -> None:
    """Outputs, and gradients in the centre alone."""
    chooser, conv = sized(stride)
    size = SIZES[index]
    alone = nn.Conv2d(4, 4, size, stride, size // 2, groups=4).double()
    alone.load_state_dict(derived_state(conv, lambda _: index))
    chooser.choose(index)
    x = images(4)
    y, expected = conv(x), alone(x)
    assert (y - expected).abs().max() <= 1e-12
    y.square().sum().backward()
    expected.square().sum().backward()
    assert conv.weight.grad is not None
    assert alone.weight.grad is not None
    edge = (7 - size) // 2
    inside = conv.weight.grad[..., edge : 7 - edge, edge : 7 - edge]
    assert (inside - alone.weight.grad).abs().max() <= 1e-12
    assert conv.weight.grad.abs().sum() == pytest.approx(inside.abs().sum().item())


def test_a_mixture_of_kernels_is_one_convolution() -> None:
    """It equals the weighted sum of all, with a gradient for the weights."""
    chooser, conv = sized()
    x = images(4)
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64, requires_grad=True)
    paths = []
    for index in range(3):
        chooser.choose(index)
        paths.append(conv(x) - conv.bias[:, None, None])
    expected = sum(w * path for w, path in zip(weights, paths, strict=True))
    chooser.mix(weights)
    mixed = conv(x) - conv.bias[:, None, None]
    assert (mixed - expected).abs().max() <= 1e-12
    (grad,) = torch.autograd.grad(mixed.pow(3).sum(), weights, retain_graph=True)
    (wanted,) = torch.autograd.grad(expected.pow(3).sum(), weights)
    assert grad.tolist() == pytest.approx(wanted.tolist())


def test_kernels_without_a_common_centre_are_refused() -> None:
    """Even sizes have their middle between two places."""
    with pytest.raises(ValueError, match="no common centre"):
        SlicedConv2d(4, 4, Elastic([gate(2)], (3, 4)))
