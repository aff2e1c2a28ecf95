"""The supernet of CellNet's size space: each of its paths is the stand-alone network."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.masks import interpolate_channels, prefix_masks
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_cli.costs.counting import count_program
from automl_cli.costs.madds import madds
from automl_cli.costs.nats_flops import nats_flops
from automl_cli.programs.cell_net import CellNet
from automl_cli.recipe import load_recipe
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.threads import one_thread

from .supernets import (
    assert_close,
    assert_equals_stand_alone,
    images,
    mix_one_hot,
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


def published(net: Supernet, masks: list[Tensor]) -> Tensor:
    """The widest stand-alone network with a mask [C] behind its stem and each of its cells."""
    widest = net.space.decode({p.id: 12 for p in net.space.points})
    alone = net.space.materialise(widest).build().model.double()
    alone.load_state_dict(net.export(widest))
    x = alone.train().stem(images()) * masks[0].view(1, -1, 1, 1)
    for cell, mask in zip(alone.stages, masks, strict=True):
        x = cell(x) * mask.view(1, -1, 1, 1)
    logits: Tensor = alone.classifier(alone.norm(x).mean((2, 3)))
    return logits


def test_masks_of_the_outputs_of_cells_alone() -> None:
    """The published searches' network, on a path and in a mixture, and back again."""
    net = supernet(Net(widths=widths()))
    net.model.mask_scope = "cell_output"  # type: ignore[assignment]
    record = net.space.sample(random.Random(0))
    chosen = [(4, 8, 12)[int(value or 0)] for value in record.values]
    net.choose(record)
    path = net.model.train()(images())
    rows = prefix_masks((4, 8, 12), 12).double()
    assert_close(path, published(net, [rows[width // 4 - 1] for width in chosen]))
    weights = {i: torch.rand(3, dtype=torch.float64).softmax(0) for i in net.gates}
    net.mix(weights)
    assert_close(net.model(images()), published(net, [w @ rows for w in weights.values()]))
    net.derive(record).model.double()(images())  # its weights fit
    net.model.mask_scope = "everywhere"  # type: ignore[assignment]
    net.choose(record)
    assert (net.model(images()) - path).abs().max() > 0.1
    assert_equals_stand_alone(net, record)


def test_interpolation_of_the_outputs_of_cells_alone() -> None:
    """TAS, as published: two widths of a full output, and zeros behind the wider."""
    net = supernet(Net(widths=widths()))
    net.model.mask_scope = "cell_output"  # type: ignore[assignment]
    outputs: list[Tensor] = []
    net.model.stem.register_forward_hook(lambda module, args, output: outputs.append(output))
    full: list[Tensor] = []
    net.model.stem.cell.register_forward_hook(lambda module, args, output: full.append(output))
    for gate in net.gates.values():
        gate.interpolate(1, 0, torch.tensor([0.25, 0.75], dtype=torch.float64))
    net.model(images())
    wanted = 0.25 * full[0][:, :8] + 0.75 * interpolate_channels(full[0][:, :4], 8)
    assert_close(outputs[0][:, :8], wanted)
    assert outputs[0].shape[1] == 12
    assert not outputs[0][:, 8:].any()


@pytest.mark.parametrize("name", ["tas", "fbnetv2"])
def test_what_a_decided_policy_stands_for(name: str) -> None:
    """The record's network has its widths, and its FLOPs by hooks are those of the closed form."""
    recipe = load_recipe("cells/size")
    net = lower(Space.compile(recipe.template))
    search = catalogue.create(name, {"preset": "nats"})
    search.setup(net, Task(recipe.objectives[0]))
    assert net.model.mask_scope == "cell_output"
    wanted = net.space.sample(random.Random(3))
    with torch.no_grad():
        for index, logits in search.logits.of.items():
            logits[net.gates[index].point.place(wanted.values[index] or 0)] = 3.0
    best = next(iter(search.derive(lambda: None)))
    assert best == wanted
    program = net.space.materialise(best)
    assert count_program(program).madds == madds(program)
    widths = json.loads(best.to_json()).values()
    assert [stage.cout for stage in program.build().network.stages] == list(widths)


def test_the_shipped_limit_is_half_of_the_largest_network() -> None:
    """Of the FLOPs as NATS-Bench counts them."""
    recipe = load_recipe("cells/size_flops")
    space = Space.compile(recipe.template)
    largest = space.materialise(space.decode({p.id: 64 for p in space.points}))
    low, high = recipe.bounds["nats_flops"]
    assert high == pytest.approx(nats_flops(largest) / 2, rel=1e-4)
    assert low < nats_flops(space.materialise(space.default())) < high  # type: ignore[arg-type]
