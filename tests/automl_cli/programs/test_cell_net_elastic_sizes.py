"""The supernet of CellNet's size space: each of its paths is the stand-alone network."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.programs.cell_net import CellNet
from automl_cli.recipe import load_recipe
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .supernets import (
    assert_close,
    assert_equals_stand_alone,
    images,
    mix_one_hot,
    one_thread,
    supernet,
)

Net = symbolize(CellNet)
OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]

POOLS = [["avg_pool_3x3"], ["none", "skip_connect"], ["avg_pool_3x3"] * 3]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """One."""
    with one_thread():
        yield


def widths() -> list[Any]:
    """Those of a network, all open."""
    return [oneof([4, 8, 12]) for _ in range(5)]


@pytest.mark.parametrize(
    "cell", [None, [["avg_pool_3x3"], ["none", "skip_connect"], ["avg_pool_3x3"] * 3]]
)
def test_a_path_is_the_stand_alone_network(cell: Any) -> None:
    """Random widths, sampled, and as mixtures of weights 0 and 1."""
    net = supernet(Net(cell=cell, widths=widths()))
    rng = random.Random(0)
    for _ in range(3):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_widths_and_operations_together() -> None:
    """Both spaces of NATS-Bench at once."""
    cell = [[oneof(OPERATIONS) for _ in range(n)] for n in (1, 2, 3)]
    net = supernet(Net(cell=cell, widths=widths()))
    rng = random.Random(0)
    for _ in range(4):
        record = net.space.sample(rng)
        net.choose(record)
        assert_equals_stand_alone(net, record)
        mix_one_hot(net, record)
        assert_equals_stand_alone(net, record)


def test_the_shipped_recipe() -> None:
    """The size space of NATS-Bench, as the recipe has it."""
    net = lower(Space.compile(load_recipe("cells/size").template))
    record = net.space.sample(random.Random(0))
    net.choose(record)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    alone = net.derive(record).model.double().eval()
    assert_close(net.model.double().eval()(x), alone(x))


def test_equal_widths_skip_without_weights() -> None:
    """The supernet holds a 1 x 1 convolution for the skip; equal widths leave it alone."""
    net = supernet(Net(widths=[8, oneof([8, 12]), 8, 8, 8]))
    names = {
        width: {n for n in net.export(record) if n.startswith("stages.1.shortcut")}
        for record, width in zip(net.space.enumerate(), (8, 12), strict=True)
    }
    assert names[8] == names[12]  # a halving block always has its own
    net = supernet(Net(widths=[8, 8, oneof([8, 12]), 8, 8]))
    skips = [
        {n for n in net.export(record) if n.startswith("stages.2.edges.2.0.")}
        for record in net.space.enumerate()
    ]
    assert skips[0] == set()
    assert "stages.2.edges.2.0.0.weight" in skips[1]


def test_a_soft_mixture_reaches_every_weight() -> None:
    """Every candidate of every gate gets a gradient, and every parameter."""
    net = supernet(Net(widths=widths()))
    weights = {
        i: torch.full((g.size,), 1 / g.size, dtype=torch.float64, requires_grad=True)
        for i, g in net.gates.items()
    }
    net.mix(weights)
    net.model.train()(images()).square().sum().backward()
    for tensor in (*weights.values(), *net.model.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.any()


def test_interpolation_between_two_widths() -> None:
    """TAS: all of the weight on the wider is its path."""
    net = supernet(Net(widths=widths()))
    for gate in net.gates.values():
        gate.interpolate(0, 1, torch.tensor([0.0, 1.0], dtype=torch.float64))
    mixed = net.model.train()(images())
    net.choose(net.space.decode({p.id: 8 for p in net.space.points}))
    assert_close(mixed, net.model(images()))


def test_a_choice_between_lists_of_widths_is_copied() -> None:
    """There is no common prefix to share; each list has a network."""
    net = supernet(Net(widths=oneof([[4, 4, 4, 4, 4], [8, 8, 8, 8, 8]])))
    for record in net.space.enumerate():
        net.choose(record)
        assert_equals_stand_alone(net, record)


def test_mistakes_are_told_as_for_one_network() -> None:
    """The number of widths, and every operation of every edge."""
    with pytest.raises(UserError, match="5 widths, got 4"):
        supernet(Net(widths=widths()[:4]))
    wrong = oneof(["none", "nor_conv_5x5"])
    with pytest.raises(UserError, match="no operation 'nor_conv_5x5'"):
        supernet(Net(cell=[[wrong], ["none"] * 2, ["none"] * 3], widths=widths()))
