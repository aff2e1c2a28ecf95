"""Stochastic depth: what it drops, that its expectation is the input, and rates by gates."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_cli.programs.drop_path import DropPath
from automl_cli.programs.drop_path_elastic import ElasticDropout, ElasticDropPath
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .supernets import Task, assert_close, images

RATES = [0.0, 0.1, 0.5, 0.9]


def after(module: nn.Module, x: Tensor, seed: int = 0) -> Tensor:
    """What a module makes of x in training, with the noise of a seed."""
    torch.manual_seed(seed)
    out: Tensor = module.train()(x)
    return out


def test_whole_samples_are_dropped() -> None:
    """Each is zero or scaled by 1 / (1 - rate), as a whole; about `rate` of them are zero."""
    x = torch.rand(4000, 2, 3, 3) + 1
    factors = (after(DropPath(0.25), x) / x).flatten(1)
    assert torch.allclose(factors.amin(1), factors.amax(1))
    kept = factors[:, 0][factors[:, 0] > 0]
    assert torch.allclose(kept, torch.tensor(4 / 3))
    assert float((factors[:, 0] == 0).float().mean()) == pytest.approx(0.25, abs=0.03)


def test_the_expectation_is_the_input() -> None:
    """So nothing needs to change in evaluation, where it is the identity."""
    x = torch.ones(20_000, 1)
    assert float(after(DropPath(0.4), x).mean()) == pytest.approx(1, abs=0.03)
    assert DropPath(0.4).eval()(x) is x
    assert after(DropPath(0.0), x) is x


def test_networks_of_one_seed_have_the_same_noise_at_any_rate() -> None:
    """What is kept at a high rate is kept at a low one, and rate 0 draws as well."""
    x = torch.ones(50, 1)
    kept = [after(DropPath(rate), x) > 0 for rate in RATES]
    for low, high in pairwise(kept):
        assert (low >= high).all()
    after(DropPath(0.0), x, seed=3)
    one = torch.rand(1)
    after(DropPath(0.5), x, seed=3)
    assert torch.equal(one, torch.rand(1))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    """1 too: nothing would be left; alone and as a candidate."""
    with pytest.raises(ValueError, match="from 0 to less than 1"):
        DropPath(rate)
    with pytest.raises(UserError, match="from 0 to less than 1"):
        shared(rate)


class Net(nn.Module):
    """A user's own network with a drop path in it."""

    def __init__(self, drop: nn.Module) -> None:
        super().__init__()
        self.scale, self.drop = nn.Parameter(torch.ones(3, 1, 1)), drop

    def build_for(self, shape: Any, classes: int) -> Net:
        """Nothing left to build."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> the same."""
        y: Tensor = self.drop(x * self.scale)
        return y


def shared(*rates: float) -> Supernet:
    """A supernet of one choice: the rate."""
    drop = symbolize(DropPath)(oneof([*rates, 0.3]))
    return lower(Space.compile(symbolize(Task)(symbolize(Net)(drop))))


def test_a_choice_of_rates_is_one_module() -> None:
    """No switch, no copies; the gate says the rate, and a path is the stand-alone module."""
    net = shared(*RATES)
    assert isinstance(net.model.drop, ElasticDropPath)
    assert not net.switched()
    x = images(40)
    for record, rate in zip(net.space.enumerate(), [*RATES, 0.3], strict=True):
        net.choose(record)
        assert torch.equal(after(net.model.drop, x), after(DropPath(rate), x))
        assert net.derive(record).model.drop.rate == rate


@pytest.mark.parametrize(
    ("alone", "elastic", "rates"),
    [(DropPath, ElasticDropPath, RATES), (nn.Dropout, ElasticDropout, [0.0, 0.2, 0.6])],
)
def test_a_mixture_of_rates(alone: Any, elastic: Any, rates: list[float]) -> None:
    """Its expectation is the input; one of weight 1 is that rate; every weight has a gradient."""
    gate_net = shared(*rates)
    (gate,) = gate_net.gates.values()
    module = elastic(gate_net.model.drop.rate)  # type: ignore[union-attr]
    x = torch.rand(3000, 20, dtype=torch.float64) + 0.5
    for i, rate in enumerate([*rates, 0.3]):
        gate.mix(one_hot(torch.tensor(i), gate.size).double())
        mixed = after(module, x)
        values = {0.0, round(1 / (1 - rate), 9)} if rate else {1.0}
        assert set((mixed / x).round(decimals=9).unique().tolist()) == values
        if alone is DropPath:
            assert_close(mixed, after(DropPath(rate), x))
    weights = torch.full((gate.size,), 1 / gate.size, dtype=torch.float64, requires_grad=True)
    gate.mix(weights)
    out = after(module, x)
    assert float((out.detach() / x).mean()) == pytest.approx(1, abs=0.05)
    (gradient,) = torch.autograd.grad(out.square().sum(), weights)
    assert gradient.all()
    gate.pick(weights, 1)
    picked = after(module, x)
    gate.choose(1)
    if alone is DropPath:
        assert_close(picked, after(module, x))
    assert module.eval()(x) is x
