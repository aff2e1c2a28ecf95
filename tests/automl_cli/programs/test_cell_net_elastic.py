"""CellNet with shared weights: one gate per edge, weights of their own in every cell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing.supernet import Supernet
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.programs.cell_net import RESNET_CELL, CellNet
from automl_cli.programs.cell_net_modules import OPERATIONS, Cell
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from tests.algorithms.weight_sharing.stepwise import assert_path_is_network, lowered
from tests.threads import one_thread

cell_net = symbolize(CellNet)
NAMES = list(OPERATIONS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors are quicker on one."""
    with one_thread():
        yield


def edges(*sizes: int, names: list[str] = NAMES) -> list[Any]:
    """Nodes with a choice on each edge."""
    return [[oneof(names) for _ in range(size)] for size in sizes or (1, 2, 3)]


def topology(**more: Any) -> Supernet:
    """The topology space, at 4 channels and one cell a stage."""
    return lowered(cell_net(cell=edges(), **{"channels": 4, "cells": 1, **more}))


def switches(net: Supernet) -> list[Switch]:
    """All of them, in the order in which a pass comes by."""
    return [m for m in net.model.modules() if isinstance(m, Switch)]


def cells(net: Supernet) -> list[Cell]:
    """All of them."""
    return [m for m in net.model.modules() if isinstance(m, Cell)]


def test_a_path_is_the_network_of_its_cell() -> None:
    """Outputs, gradients and statistics in float64, for random records of 15,625."""
    net = topology()
    assert net.space.size == 15_625
    rng = random.Random(0)
    for _ in range(8):
        assert_path_is_network(net, net.space.sample(rng))


def test_a_cell_that_changes_the_channels() -> None:
    """A skip is then a convolution and pooling has one before it; as in the network alone."""
    net = lowered(cell_net(cell=edges(), widths=[4, 6, 4, 6, 8]))
    rng = random.Random(1)
    for _ in range(6):
        assert_path_is_network(net, net.space.sample(rng))


def test_one_gate_per_edge_for_all_cells() -> None:
    """Two cells a stage: six gates, 36 switches, no weight in two places."""
    net = topology(cells=2)
    assert len(net.gates) == 6
    assert len(switches(net)) == 36
    for cell in cells(net):
        gates = [m.gate for m in cell.modules() if isinstance(m, Switch)]
        assert gates == list(net.gates.values())
    largest = CellNet([["nor_conv_3x3"], ["nor_conv_3x3"] * 2, ["nor_conv_3x3"] * 3], 4, 2)
    alone = sum(p.numel() for p in largest.build_for((3, 8, 8), 3).parameters())
    shared = sum(p.numel() for p in net.model.parameters())
    ones = sum(
        p.numel()
        for s in switches(net)
        for p in s.candidates[NAMES.index("nor_conv_1x1")].parameters()
    )
    assert shared == alone + ones


def test_every_cell_may_draw_its_own() -> None:
    """RSPS: a gate that draws is asked once per cell, and the cells differ."""
    net = topology(cells=2)
    drawn: dict[int, list[int]] = {index: [] for index in net.gates}
    rng = random.Random(0)

    def sampler(index: int) -> Any:
        def draw() -> int:
            drawn[index].append(rng.randrange(5))
            return drawn[index][-1]

        return draw

    for index, gate in net.gates.items():
        gate.draw(sampler(index))
    used: list[tuple[int, str]] = []
    for i, switch in enumerate(switches(net)):
        for name, candidate in zip(NAMES, switch.candidates, strict=True):
            candidate.register_forward_hook(lambda *_, i=i, name=name: used.append((i, name)))
    net.model(net.program.images)
    assert [len(indices) for indices in drawn.values()] == [6] * 6
    expected = [NAMES[drawn[i % 6][i // 6]] for i in range(36)]
    assert [name for _, name in sorted(used)] == expected
    assert len({tuple(expected[k : k + 6]) for k in range(0, 36, 6)}) > 1


def test_edges_that_are_fixed_have_no_switch() -> None:
    """Only what is open is shared; the rest is the cell's own operation."""
    cell = [[oneof(["none", "nor_conv_3x3"])], ["none", "nor_conv_1x1"], ["skip_connect"] * 3]
    net = lowered(cell_net(cell=cell, channels=4, cells=1))
    assert len(switches(net)) == 3
    for decisions in net.space.enumerate():
        assert_path_is_network(net, decisions)


def test_channels_are_copied_around_shared_cells() -> None:
    """A choice that the rule does not share: one network for each, with its own switches."""
    net = lowered(cell_net(cell=edges(names=NAMES[1:3]), channels=oneof([2, 4]), cells=1))
    assert isinstance(net.model, Switch)
    assert len(net.model.candidates) == 2
    rng = random.Random(2)
    for _ in range(4):
        assert_path_is_network(net, net.space.sample(rng))


def test_a_choice_between_whole_cells() -> None:
    """Not an edge: the network once per cell; inside of one, edges are shared again."""
    net = lowered(cell_net(cell=oneof([RESNET_CELL, edges(names=NAMES[2:4])]), channels=4, cells=1))
    assert isinstance(net.model, Switch)
    assert sum(isinstance(m, Switch) for m in net.model.candidates[0].modules()) == 0
    rng = random.Random(3)
    for _ in range(4):
        assert_path_is_network(net, net.space.sample(rng))


def test_a_mixture_reaches_every_operation() -> None:
    """DARTS: gradients for all six alphas and all weights."""
    net = topology()
    alphas = {i: torch.zeros(5, dtype=torch.float64, requires_grad=True) for i in net.gates}
    net.mix({i: alpha.softmax(0) for i, alpha in alphas.items()})
    net.program.loss(net.program.batch).backward()
    assert all(alpha.grad is not None and alpha.grad.abs().sum() > 0 for alpha in alphas.values())
    assert all(p.grad is not None for p in net.model.parameters())


def test_unknown_operations_are_named() -> None:
    """Also where they are the second of a choice; and nodes of a wrong number of edges."""
    with pytest.raises(UserError, match=r"no operation 'conv_3x3' \(did you mean nor_conv_3x3"):
        lowered(cell_net(cell=edges(names=["none", "conv_3x3"])))
    with pytest.raises(UserError, match="1, 2 and 3 operations, got 1, 2"):
        lowered(cell_net(cell=edges(1, 2)))


def test_the_class_builds_the_skeleton() -> None:
    """Its stem, halving blocks and classifier are where the stand-alone network has them."""
    net = topology()
    alone = CellNet(None, 4, 1).build_for((3, 8, 8), 3)
    assert isinstance(net.model, type(alone))
    kinds = [type(stage) for stage in alone.stages]  # type: ignore[union-attr]
    assert [type(stage) for stage in net.model.stages] == kinds  # type: ignore[union-attr]
    assert isinstance(net.model.norm, nn.Sequential)
