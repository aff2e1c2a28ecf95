"""Costs of MobileNetV2: golden numbers, and closed form against counting on the real module."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from automl_cli import costs
from automl_cli.costs.counting import count, count_program
from automl_cli.costs.layers import LayerSpec, layers
from automl_cli.programs.channels import MOBILENET_V2_BLOCKS
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol

MADDS, PARAMS = costs.load("madds"), costs.load("params")
MULTIPLIERS = (0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)


class Images:
    """Stands for a data set: a shape and a number of classes."""

    def __init__(self, size: int = 224, channels: int = 3, classes: int = 1000) -> None:
        self.shape, self.classes = (channels, size, size), classes


def train(model: Any, data: Any) -> float:
    """Stands for a trainer."""
    return 0.0


def program(model: Any = None, **image: int) -> Symbol:
    """A trainer of a model (MobileNetV2 of the paper if None) on images."""
    model = symbolize(MobileNetV2)() if model is None else model
    return symbolize(train)(model, symbolize(Images)(**image))


def mobilenet(choose: Any, **options: Any) -> Symbol:
    """MobileNetV2 with arguments of each block chosen by `choose(number, expansion)`."""
    blocks = [
        symbolize(InvertedResidual)(**({"filters": f, "stride": s, "expansion": t} | choose(i, t)))
        for i, (f, s, t) in enumerate(MOBILENET_V2_BLOCKS)
    ]
    return symbolize(MobileNetV2)(blocks=blocks, **options)


def test_golden_numbers() -> None:
    """300.774 M multiply-adds and 3,504,872 parameters, written out in blocks or by default."""
    for model in (None, mobilenet(lambda i, t: {})):
        assert MADDS(program(model)) == 300_774_272
        assert PARAMS(program(model)) == 3_504_872


def test_golden_numbers_of_the_module() -> None:
    """Hooks on the real module count the same, and so does PyTorch, in units of two."""
    model = MobileNetV2().build_for((3, 224, 224), 1000)
    assert count(model, (3, 224, 224)) == (300_774_272, 3_504_872)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model.eval()(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() == 2 * 300_774_272


@pytest.mark.parametrize("size", [8, 28, 33])
def test_closed_form_equals_counting(size: int) -> None:
    """Random networks: any width, kernels, expansions, multipliers, strides, image sizes."""
    rng = random.Random(size)
    model = mobilenet(
        lambda i, t: {
            "kernel_size": rng.choice([3, 5, 7]),
            "expansion": rng.choice([1, 3, 6]),
            "multiplier": rng.choice(MULTIPLIERS),
        },
        width=rng.choice([0.35, 0.5, 1.4]),
        stem_stride=rng.choice([1, 2]),
        head=320,
    )
    symbolic = program(model, size=size, channels=1, classes=7)
    assert (MADDS(symbolic), PARAMS(symbolic)) == tuple(count_program(symbolic))


def test_spaces_s1_and_s2_have_the_known_distribution() -> None:
    """S1: 171.5 to 392.8 M, mean 270.2; S2 over nine multipliers: 91 to 1,137 M."""
    rng = random.Random(0)
    smallest = mobilenet(lambda i, t: {"kernel_size": 3, "expansion": 3 if i else 1})
    largest = mobilenet(lambda i, t: {"kernel_size": 7})
    assert [round(MADDS(program(m)) / 1e6, 1) for m in (smallest, largest)] == [171.5, 392.8]
    drawn = [
        MADDS(
            program(
                mobilenet(
                    lambda i, t: {
                        "kernel_size": rng.choice([3, 5, 7]),
                        "expansion": rng.choice([3, 6]) if i else 1,
                    }
                )
            )
        )
        for _ in range(400)
    ]
    assert sum(drawn) / len(drawn) / 1e6 == pytest.approx(270.2, abs=4)
    for factor, madds in ((0.5, 91), (2.0, 1137)):
        scaled = mobilenet(
            lambda i, t, factor=factor: {"multiplier": factor},
            stem=int(32 * factor),
            head=int(1280 * factor),
        )
        assert round(MADDS(program(scaled)) / 1e6) == madds


def test_a_cost_takes_a_fraction_of_a_millisecond() -> None:
    """The median of 50 costs of 17 written blocks stays below 1 ms (0.1 ms when idle)."""
    symbolic = program(mobilenet(lambda i, t: {}))
    times = []
    for _ in range(50):
        began = time.perf_counter()
        MADDS(symbolic)
        times.append(time.perf_counter() - began)
    assert sorted(times)[25] < 1e-3


def test_costs_do_not_import_torch() -> None:
    """A search is constrained in a process that has never heard of PyTorch."""
    code = """
import sys
from automl_cli.shipped import register_shipped
from automl_cli import costs
from automl_spaces.registry import resolve
register_shipped()
program = resolve("Classifier")(
    resolve("MobileNetV2")(width=0.35), resolve("SGD")(), resolve("ColourMNIST5k")()
)
print(costs.load("madds")(program), costs.load("params")(program), "torch" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["1196592.0", "408938.0", "False"]


def test_a_model_without_closed_form_is_built_and_counted() -> None:
    """Any module costs what its layers cost: here 12 * 10 weights and 10 biases."""
    model = symbolize(nn.Sequential)(symbolize(nn.Flatten)(), symbolize(nn.Linear)(12, 10))
    symbolic = program(model, size=2, channels=3)
    assert layers(symbolic) is None
    assert (MADDS(symbolic), PARAMS(symbolic)) == (120, 130)


def test_a_foreign_block_is_counted_too() -> None:
    """A block that the closed form does not know leads to counting; Identity costs nothing."""
    block = symbolize(InvertedResidual)
    model = symbolize(MobileNetV2)
    plain = model(blocks=[block(16, expansion=1), symbolize(nn.Identity)(), block(24)])
    pooled = model(blocks=[block(16, expansion=1), symbolize(nn.MaxPool2d)(1), block(24)])
    assert layers(program(plain, size=32)) is not None
    assert layers(program(pooled, size=32)) is None
    assert MADDS(program(plain, size=32)) == MADDS(program(pooled, size=32))


def test_counting_leaves_no_trace() -> None:
    """Mode, statistics and the seed of everybody else are as before."""
    model = MobileNetV2(0.35).build_for((1, 8, 8), 10).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    count(model, (1, 8, 8))
    count_program(program(size=16))
    assert torch.equal(torch.rand(3), expected)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_program_without_a_model_is_told() -> None:
    """A cost of a program that has no model is the user's mistake, with a way out."""
    with pytest.raises(UserError, match="no arguments model and data"):
        MADDS(symbolize(Images)())


def test_the_catalogue_knows_its_files() -> None:
    """Costs are found by name; a slip is answered with the nearest one."""
    assert {"madds", "params"} <= set(costs.names())
    assert "layers" not in costs.names()
    with pytest.raises(UserError, match="did you mean madds"):
        costs.load("mads")


def test_a_layer_counts_itself() -> None:
    """A depthwise convolution has one filter per channel: golden by hand."""
    spec = LayerSpec("depthwise", 8, 8, 4, 4, k=3, groups=8)
    assert (spec.weights, spec.params, spec.madds) == (72, 88, 1152)


@pytest.mark.parametrize("name", ["../checks", "layers", "", "a/b", "madds/../params"])
def test_a_file_that_registers_no_cost_of_its_name_is_none(name: str) -> None:
    """Nor is a path to one that does."""
    assert not costs.exists(name)
