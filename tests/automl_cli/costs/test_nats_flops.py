"""Costs of CellNet: golden numbers of NATS-Bench, all of its rows, counting on real modules."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl_cli import costs
from automl_cli.costs.counting import count_program
from automl_cli.costs.nats_flops import IMAGES, nats_flops
from automl_cli.programs.cell_net import CellNet, cell_of
from automl_cli.programs.cell_net_layers import layers
from automl_cli.programs.tabular_nats import TabularNATS
from automl_cli.tables.architectures import OPERATIONS, WIDTHS, topology_name
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol

MADDS, PARAMS = costs.load("madds"), costs.load("params")
TABLES = Path(__file__).parents[4] / "shared" / "data"
COLUMNS = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "in16"}
NET = symbolize(CellNet)
# Numbers 11 and 284 of the archives of the topology and of the size space.
TSS_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
TSS_284 = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|"
SSS_11, SSS_284 = [8, 8, 8, 16, 32], [8, 8, 40, 32, 40]


class Images:
    """Stands for a data set: a shape and a number of classes."""

    def __init__(self, size: int = 32, classes: int = 10) -> None:
        self.shape, self.classes = (3, size, size), classes


def train(model: Any, data: Any) -> float:
    """Stands for a trainer."""
    return 0.0


def program(model: Symbol, size: int = 32, classes: int = 10) -> Symbol:
    """A trainer of a network on images."""
    return symbolize(train)(model, symbolize(Images)(size, classes))


@pytest.mark.parametrize(
    ("arch", "data", "flops", "params"),
    [
        (TSS_11, "cifar10", 113_951_370, 802_426),
        (TSS_11, "cifar100", 113_957_220, 808_276),
        (TSS_11, "ImageNet16-120", 28_495_480, 809_576),
        (TSS_284, "cifar10", 11_715_210, 101_306),
        (TSS_284, "ImageNet16-120", 2_936_440, 108_456),
        (SSS_11, "cifar10", 6_840_650, 49_202),
        (SSS_11, "ImageNet16-120", 1_714_040, 52_832),
        (SSS_284, "cifar10", 21_827_994, 144_834),
        (SSS_284, "cifar100", 21_831_684, 148_524),
        (SSS_284, "ImageNet16-120", 5_461_816, 149_344),
    ],
)
def test_golden_numbers(arch: Any, data: str, flops: int, params: int) -> None:
    """What the benchmark's archives hold, to the last operation and parameter."""
    model = NET(cell=cell_of(arch)) if isinstance(arch, str) else NET(widths=arch)
    assert nats_flops(symbolize(TabularNATS)(model, data)) == flops
    (_, size, _), classes = IMAGES[data]
    trained = program(model, size, classes)
    assert nats_flops(trained) == flops
    assert MADDS(trained) == flops - classes
    assert PARAMS(trained) == params


def test_the_topology_space_is_linear_in_its_convolutions() -> None:
    """7.78305 M, 3.93216 M for each 1 x 1 and 35.38944 M for each 3 x 3; the others are free."""
    rng = random.Random(0)
    for _ in range(200):
        names = rng.choices(OPERATIONS, k=6)
        expected = 7_783_050 + 3_932_160 * names.count("nor_conv_1x1")
        expected += 35_389_440 * names.count("nor_conv_3x3")
        model = NET(cell=cell_of(topology_name(names)))
        assert nats_flops(program(model)) == expected


@pytest.mark.parametrize("seed", range(6))
def test_closed_form_equals_counting(seed: int) -> None:
    """Any cell with any skeleton, also cells that change the channels, also odd images."""
    rng = random.Random(seed)
    cell = cell_of(topology_name(rng.choices(OPERATIONS, k=6)))
    widths = [rng.randint(1, 20) for _ in range(5)]
    for model in (NET(cell, rng.randint(1, 9), rng.randint(1, 3)), NET(cell, widths=widths)):
        symbolic = program(model, rng.randint(1, 17), rng.randint(2, 9))
        assert (MADDS(symbolic), PARAMS(symbolic)) == tuple(count_program(symbolic))


def _table(name: str) -> Any:
    numpy = pytest.importorskip("numpy")
    if not (TABLES / name).exists():
        pytest.skip("the table is not part of the repository")
    return numpy, numpy.load(TABLES / name)


@pytest.mark.slow
@pytest.mark.parametrize("data", COLUMNS)
@pytest.mark.parametrize("space", ["tss", "sss"])
def test_every_row_of_the_benchmark(space: str, data: str) -> None:
    """FLOPs of all 48,393 networks to the precision of the table, and their parameters.

    The parameters of 150 rows of the topology table are off by one convolution: they contradict
    the FLOPs of their own row.
    """
    numpy, table = _table(f"nats_{space}.npz")
    columns = list(table["columns"])
    if space == "tss":
        models = [NET(cell=cell_of(arch.decode())) for arch in table["arch"]]
    else:
        models = [NET(widths=widths) for widths in table["widths"].tolist()]
    shape, classes = IMAGES[data]
    found = [layers(model, shape, classes) for model in models]
    flops = numpy.array([sum(s.madds for s in specs) + classes for specs in found]) / 1e6
    params = numpy.array([sum(s.params for s in specs) for specs in found])
    recorded = table["values"][:, columns.index(f"{COLUMNS[data]}_flops_M")]
    numpy.testing.assert_allclose(recorded, flops, rtol=1e-6)
    recorded = table["values"][:, columns.index(f"{COLUMNS[data]}_params_M")].astype(float) * 1e6
    assert (numpy.rint(recorded) != params).sum() == (150 if space == "tss" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("data", IMAGES)
def test_real_networks_of_the_benchmark(data: str) -> None:
    """20 of each space are built in full size; hooks count what the closed form says."""
    rng = random.Random(data)
    (_, size, _), classes = IMAGES[data]
    for _ in range(20):
        cell = cell_of(topology_name(rng.choices(OPERATIONS, k=6)))
        for model in (NET(cell), NET(widths=rng.choices(WIDTHS, k=5))):
            symbolic = program(model, size, classes)
            assert (MADDS(symbolic), PARAMS(symbolic)) == tuple(count_program(symbolic))


def test_other_networks_are_told() -> None:
    """A program without a CellNet, or no program at all."""
    for other in (symbolize(Images)(), program(symbolize(Images)())):
        with pytest.raises(UserError, match=r"model: !CellNet.*madds"):
            nats_flops(other)


def test_unknown_images_are_told() -> None:
    """Neither a data set nor a name of the benchmark's."""
    with pytest.raises(UserError, match="known by name: cifar10, cifar100, ImageNet16-120"):
        nats_flops(symbolize(train)(NET(), "cifar"))


def test_mistakes_in_a_cell_reach_the_one_who_asks() -> None:
    """The cost of a network that cannot be."""
    with pytest.raises(UserError, match="did you mean skip_connect"):
        nats_flops(program(NET([["skip_conect"], ["none"] * 2, ["none"] * 3])))


def test_the_cost_needs_no_torch() -> None:
    """A search over a table is constrained without PyTorch."""
    code = """
import sys
from automl_cli.shipped import register_shipped
from automl_cli import costs
from automl_spaces.registry import resolve
register_shipped()
program = resolve("TabularNATS")(resolve("CellNet")(widths=[8, 8, 40, 32, 40]))
print(costs.load("nats_flops")(program), "torch" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["21827994.0", "False"]
