"""CellNet: its names, the operations of its cells, its skeleton, its training."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_cli.datasets.digits import Digits
from automl_cli.programs.cell_net import RESNET_CELL, SIZE_CELL, CellNet, Stage, cell_of
from automl_cli.programs.cell_net_modules import OPERATIONS, Cell, HalvingBlock, make_cell
from automl_cli.programs.classifier import Classifier
from automl_cli.programs.optimizers import SGD
from automl_cli.recipe import load_recipe
from automl_cli.tables import architectures
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from automl_spaces.trial import Trial
from tests.threads import one_thread

CELL = [["avg_pool_3x3"], ["nor_conv_1x1", "none"], ["skip_connect", "nor_conv_3x3", "none"]]
NOTHING = [["none"], ["none", "none"], ["none", "none", "none"]]


def built(net: CellNet, size: int = 8, classes: int = 7) -> nn.Module:
    """The network for colour images of this size, with the weights of seed 0."""
    torch.manual_seed(0)
    return net.build_for((3, size, size), classes)


# The description.


def test_the_name_is_the_benchmarks() -> None:
    """Groups are nodes, `~k` is where an edge comes from; the name leads back to the cell."""
    name = "|avg_pool_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
    assert CellNet(CELL).arch == name
    assert cell_of(name) == CELL
    assert CellNet().arch == (
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
    )


def test_the_default_cell_depends_on_the_space() -> None:
    """Widths alone make a network of the size space; a cell that is given stays."""
    widths = [8, 16, 16, 32, 32]
    assert CellNet().cell == RESNET_CELL
    assert CellNet(widths=widths).cell == SIZE_CELL
    assert CellNet(CELL, widths=widths).cell == CELL


def test_the_skeletons() -> None:
    """17 places with 16, 32 and 64 channels by default; five with widths of their own."""
    stages = CellNet().stages
    assert [i for i, stage in enumerate(stages) if stage.halves] == [5, 11]
    assert [stage.cout for stage in stages] == [16] * 5 + [32] * 6 + [64] * 6
    assert all(a.cout == b.cin for a, b in pairwise(stages))
    assert CellNet(widths=[8, 16, 24, 32, 40]).stages == [
        Stage(False, 8, 8),
        Stage(True, 8, 16),
        Stage(False, 16, 24),
        Stage(True, 24, 32),
        Stage(False, 32, 40),
    ]
    assert CellNet(channels=8, cells=1).stages == CellNet(widths=[8, 16, 16, 32, 32]).stages


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([["nor_conv_3x1"], *RESNET_CELL[1:]], "did you mean nor_conv_3x3"),
        ([["conv"], *RESNET_CELL[1:]], "no operation 'conv'"),
        (RESNET_CELL[:2], "three nodes of 1, 2 and 3 operations, got 1, 2 "),
        ([["none"], ["none"], ["none"] * 3], "got 1, 1, 3"),
        ([], "got none"),
    ],
)
def test_a_wrong_cell_is_told_when_it_is_used(cell: list[list[str]], message: str) -> None:
    """Making the description is free; its name and its layers see that it can be meant so."""
    net = CellNet(cell)
    for use in (lambda: net.arch, lambda: built(net)):
        with pytest.raises(UserError, match=message):
            use()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": [8, 8, 8]}, "has 5 widths, got 3"),
        ({"widths": [8, 8, 0, 8, 8]}, "must be positive"),
        ({"cells": 0}, "must be positive"),
        ({"channels": -8}, "must be positive"),
    ],
)
def test_a_wrong_skeleton_is_told(options: dict[str, Any], message: str) -> None:
    """The number of widths, and numbers that make no layers."""
    with pytest.raises(UserError, match=message):
        built(CellNet(**options))


def test_the_description_needs_no_torch() -> None:
    """Looking networks up must not wait for PyTorch."""
    code = """
import sys
from automl_cli.programs.cell_net import CellNet
print(len(CellNet().arch), "torch" in sys.modules, "numpy" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["79", "False", "False"]


# The layers.


def test_the_operations_are_those_of_the_benchmark() -> None:
    """Everything that has a name can be built."""
    assert tuple(OPERATIONS) == architectures.OPERATIONS


@pytest.mark.parametrize("cout", [4, 6])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_the_size(name: str, cout: int) -> None:
    """Also between different numbers of channels, also when training; odd sizes too."""
    x = torch.randn(2, 4, 5, 6)
    assert OPERATIONS[name](4, cout)(x).shape == (2, cout, 5, 6)


def test_a_mean_does_not_count_the_padding() -> None:
    """A constant image stays constant up to its corners; one pixel is seen by its neighbours."""
    pool = OPERATIONS["avg_pool_3x3"](2, 2)
    assert torch.allclose(pool(torch.ones(1, 2, 4, 4)), torch.ones(1, 2, 4, 4))
    x = torch.zeros(1, 2, 4, 4)
    x[..., 0, 0] = 36.0
    assert pool(x)[0, 0].tolist() == [[9, 6, 0, 0], [6, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_skip_is_the_input() -> None:
    """The same tensor where channels stay; else a linear map without ReLU, as NATS-Bench has."""
    x = torch.randn(8, 4, 5, 5)
    assert OPERATIONS["skip_connect"](4, 4)(x) is x
    skip = OPERATIONS["skip_connect"](4, 6).eval()
    assert torch.allclose(skip(-x), -skip(x), atol=1e-6)
    convolution = OPERATIONS["nor_conv_1x1"](4, 6).eval()
    assert not torch.allclose(convolution(-x), -convolution(x), atol=1e-6)


def test_a_convolution_begins_with_relu() -> None:
    """What is negative cannot be seen, and the input itself is left as it is."""
    x = -torch.rand(2, 4, 5, 5)
    before = x.clone()
    for name in ("nor_conv_1x1", "nor_conv_3x3"):
        assert not OPERATIONS[name](4, 6).eval()(x).any()
    assert torch.equal(x, before)


def test_no_edge_is_zero_also_of_infinity() -> None:
    """`none` gives zeros in the input's type, whatever comes in."""
    x = torch.full((2, 4, 3, 3), torch.inf, dtype=torch.float64)
    zero = OPERATIONS["none"](4, 6)(x)
    assert zero.shape == (2, 6, 3, 3)
    assert zero.dtype == torch.float64
    assert not zero.any()


class Times(nn.Module):
    """An edge that multiplies, so that paths can be told from each other."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """`factor` times the input."""
        return x * self.factor


def test_a_node_sums_an_edge_from_every_node_before() -> None:
    """With six primes as factors the sum over all paths is 5 + 2 * 7 + (3 + 2 * 13) * 11."""
    edges = [[Times(2)], [Times(3), Times(13)], [Times(5), Times(7), Times(11)]]
    assert Cell(edges)(torch.ones(1)).item() == 5 + 2 * 7 + (3 + 2 * 13) * 11


def test_only_edges_from_the_input_change_the_channels() -> None:
    """In a cell from 4 to 6 channels the inner nodes have 6 already."""
    cell = make_cell([["nor_conv_1x1"], ["nor_conv_3x3"] * 2, ["nor_conv_3x3"] * 3], 4, 6)
    convolutions = [m for m in cell.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in convolutions] == [4, 4, 6, 4, 6, 6]
    assert {m.out_channels for m in convolutions} == {6}


def test_a_halving_block_rounds_up() -> None:
    """Its two ways agree on every size: an odd image loses no pixels."""
    block = HalvingBlock(4, 6)
    assert block(torch.randn(2, 4, 8, 5)).shape == (2, 6, 4, 3)
    assert block(torch.randn(2, 4, 1, 1)).shape == (2, 6, 1, 1)


@pytest.mark.parametrize(
    "net", [CellNet(CELL, 4, 2), CellNet(CELL, widths=[2, 3, 4, 5, 6]), CellNet(NOTHING, 4, 1)]
)
def test_shapes(net: CellNet) -> None:
    """Images become logits; any channels, sizes and numbers of classes."""
    model = net.build_for((1, 9, 12), 7)
    assert model(torch.randn(2, 1, 9, 12)).shape == (2, 7)


# Training.


def test_the_seed_decides_the_weights() -> None:
    """Built again from the same description: equal with the same seed, other weights without."""
    net = CellNet(CELL, 4, 1)
    first, again, other = built(net), built(net), net.build_for((3, 8, 8), 7)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


def test_paths_without_gradient_are_no_obstacle() -> None:
    """A cell of nothing cuts the network in pieces; what is behind the last piece still learns."""
    program = Classifier(CellNet(NOTHING, 4, 1), SGD(0.1, weight_decay=5e-4), Digits(), epochs=1)
    found = program(Trial(seed=0))
    assert found["accuracy"] < 0.2
    assert torch.isfinite(program.model.classifier.bias).all()  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("options", [{"channels": 8, "cells": 1}, {"widths": [8, 8, 16, 16, 32]}])
def test_learning_happens(options: dict[str, Any]) -> None:
    """Both spaces under the plain trainer: 90 % on digits after three epochs; chance is 10 %."""
    optimizer = SGD(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    with one_thread():
        found = Classifier(CellNet(**options), optimizer, Digits(), epochs=3)(Trial(seed=1))
    assert found["accuracy"] > 0.9
    assert found["test_accuracy"] > 0.9


@pytest.mark.parametrize(("name", "size"), [("topology", 5**6), ("size", 8**5)])
def test_the_recipes_have_the_benchmarks_spaces(name: str, size: int) -> None:
    """One overlay each: 15,625 cells, 32,768 widths, all of them trainable programs."""
    assert Space.compile(load_recipe(f"cells/{name}").template).size == size
