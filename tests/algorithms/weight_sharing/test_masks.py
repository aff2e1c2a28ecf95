"""Masks: prefixes, mixtures, interpolation, and where a mask has to stand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool3d

from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.masks import (
    ChannelMask,
    Unless,
    add_where,
    blend,
    fit,
    interpolate_channels,
    prefix_masks,
)
from automl_algorithms.weight_sharing.slicing import Elastic, lift
from automl_spaces.points import Point

WIDTHS = [8, 16, 24, 32, 40, 48, 56, 64]


def gate(n: int, id: str = "width") -> Gate:
    """A gate of n candidates."""
    return Gate(Point(id, "categorical", tuple(map(str, range(n)))))


def images(channels: int, n: int = 3) -> Tensor:
    """Random ones, always the same. [n, channels, 4, 4]"""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, channels, 4, 4, dtype=torch.float64, generator=generator)


def test_masks_are_prefixes() -> None:
    """Row k is as many ones as the width says, and zeros behind them."""
    masks = prefix_masks(WIDTHS, 64)
    assert masks.sum(1).tolist() == WIDTHS
    assert (masks[:, :-1] >= masks[:, 1:]).all()


def test_a_mixture_weights_a_channel_with_the_probability_of_having_it() -> None:
    """Channel j gets the sum of the weights of the widths above j: never rising, 1 at first."""
    chooser = gate(8)
    weights = torch.softmax(torch.arange(8).double().cos(), 0)
    chooser.mix(weights)
    mask = blend(torch.ones(1, 64, 1, 1).double(), Elastic([chooser], WIDTHS)).flatten()
    wanted = [sum(w for w, c in zip(weights.tolist(), WIDTHS, strict=True) if c > j)
              for j in range(64)]  # fmt: skip
    assert mask.tolist() == pytest.approx(wanted, abs=1e-15)
    assert (mask[:-1] >= mask[1:]).all()


def test_what_each_use_of_a_gate_makes_of_an_output() -> None:
    """A path is a slice; a hard choice the same in value; of two widths, the wider is computed."""
    chooser, x = gate(3), images(6)
    width = Elastic([chooser], [2, 4, 6])
    chooser.choose(1)
    assert torch.equal(blend(x, width), x[:, :4])
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    chooser.pick(weights, 1)
    assert torch.equal(blend(x, width), fit(x[:, :4], 6))
    chooser.pick(weights, 1, "selected")
    assert torch.equal(blend(x, width), x[:, :4])
    q = torch.tensor([0.25, 0.75], dtype=torch.float64)
    chooser.interpolate(1, 0, q)
    wanted = 0.25 * x[:, :4] + 0.75 * x[:, [0, 0, 1, 1]]
    torch.testing.assert_close(blend(x, width), wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("gradient", "reached"), [("all", [0, 1, 2]), ("selected", [1])])
def test_the_gradient_of_a_hard_choice(gradient: str, reached: list[int]) -> None:
    """Straight through to all weights: each gets the sum over its own prefix; or to one alone."""
    chooser, x = gate(3), images(6)
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    chooser.pick(weights, 1, gradient)  # type: ignore[arg-type]
    blend(x, Elastic([chooser], [2, 4, 6])).sum().backward()
    wanted = torch.stack([x[:, :c].sum() * (i in reached) for i, c in enumerate([2, 4, 6])])
    torch.testing.assert_close(weights.grad, wanted)


def test_two_gates_weigh_each_other() -> None:
    """The width of a product is weighted by the products of the weights."""
    first, second = gate(2, "a"), gate(2, "b")
    width = lift(lambda c, t: c * t, Elastic([first], [1, 2]), Elastic([second], [1, 3]))
    first.mix(torch.tensor([0.25, 0.75]))
    second.mix(torch.tensor([0.5, 0.5]))
    mask = blend(torch.ones(1, 6, 1, 1), width).flatten()  # widths 1, 3, 2, 6
    assert mask.tolist() == [1.0, 0.875, 0.5, 0.375, 0.375, 0.375]
    first.choose(0)
    assert blend(torch.ones(1, 6, 1, 1), width).flatten().tolist() == [1.0, 0.5, 0.5]


# Channel-wise interpolation.


def test_interpolation_of_as_many_channels_is_the_identity() -> None:
    """c = C."""
    x = images(5)
    assert torch.equal(interpolate_channels(x, 5), x)


@pytest.mark.parametrize(("c", "channels"), [(6, 8), (8, 6), (3, 7), (1, 4)])
def test_interpolation_is_adaptive_pooling_along_channels(c: int, channels: int) -> None:
    """As `adaptive_avg_pool3d` on an image whose depth are the channels."""
    x = images(c)
    wanted = adaptive_avg_pool3d(x[:, None], (channels, 4, 4))[:, 0]
    torch.testing.assert_close(interpolate_channels(x, channels), wanted, rtol=0, atol=1e-15)


def test_interpolation_averages() -> None:
    """Each output channel is a mean of neighbours: floor(j c / C) to ceil((j + 1) c / C) - 1."""
    matrix = interpolate_channels(torch.eye(6, dtype=torch.float64)[..., None, None], 8)[
        ..., 0, 0
    ].T
    torch.testing.assert_close(matrix.sum(1), torch.ones(8, dtype=torch.float64))  # constants stay
    for j, row in enumerate(matrix):
        wanted = range(j * 6 // 8, -(-(j + 1) * 6 // 8))
        assert row.nonzero().flatten().tolist() == list(wanted)


# Where a mask stands.


def test_a_mask_before_normalisation_is_in_vain() -> None:
    """The shift fills the zeros again; a mask behind it makes the layer a narrow one."""
    chooser, x = gate(2), images(6)
    mask = ChannelMask(Elastic([chooser], [4, 6]))
    chooser.mix(torch.tensor([1.0, 0.0]).double())
    norm, narrow = nn.BatchNorm2d(6).double(), nn.BatchNorm2d(4).double()
    nn.init.constant_(norm.bias, 0.5)
    nn.init.constant_(narrow.bias, 0.5)
    wanted = fit(narrow(x[:, :4]), 6)
    torch.testing.assert_close(mask(norm(x)), wanted, rtol=0, atol=1e-14)
    before = norm(mask(x))
    torch.testing.assert_close(before[:, :4], wanted[:, :4], rtol=0, atol=1e-14)
    assert (before[:, 4:] == 0.5).all()


def test_an_addition_counts_where_sizes_agree() -> None:
    """On a path wholly or not at all; in a mixture with the weight of agreeing."""
    before, after = gate(2, "a"), gate(2, "b")
    cin, cout = Elastic([before], [2, 4]), Elastic([after], [4, 6])
    agrees = lift(lambda a, b: a == b, cin, cout)
    before.choose(0), after.choose(0)
    y = images(4)
    assert add_where(agrees, images(2), y) is y
    before.choose(1)
    assert torch.equal(add_where(agrees, y, y), 2 * y)
    before.mix(torch.tensor([0.25, 0.75]).double())
    after.mix(torch.tensor([0.5, 0.5]).double())
    y = images(6)
    torch.testing.assert_close(add_where(agrees, images(4), y), 0.375 * fit(images(4), 6) + y)


def test_layers_that_some_do_without() -> None:
    """The input itself, or the layers' output, or both by weight; the wider output counts."""
    chooser, x = gate(2), images(4)
    with_layer = Elastic([chooser], [False, True])
    layers = nn.Conv2d(4, 6, 1).double()
    module = Unless(
        lift(lambda present: not present, with_layer), layers, Elastic([chooser], [4, 6])
    )
    chooser.choose(0)
    assert module(x) is x
    assert module.derived_state(lambda gate: 0) == {}
    chooser.choose(1)
    assert torch.equal(module(x), layers(x))
    assert set(module.derived_state(lambda gate: 1)) == {"weight", "bias"}
    chooser.mix(torch.tensor([0.25, 0.75]).double())
    torch.testing.assert_close(module(x), 0.25 * fit(x, 6) + layers(x))
