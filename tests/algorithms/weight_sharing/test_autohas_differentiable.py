"""Differentiable AutoHAS: exact gradients through a step, and what is found by them."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing._hyperparameters import Hyperparameters, Setting
from automl_algorithms.weight_sharing._update import slope_along, through
from automl_algorithms.weight_sharing.autohas_differentiable import DifferentiableAutoHAS
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces import floatv, oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize

from .test_autohas import chances, net, network, run, sequence
from .tuned import WIDTH, layer, sgd

GOAL = Objective("accuracy")


def ready(of: Supernet, setting: Setting) -> tuple[Hyperparameters, Any, Any]:
    """Hyperparameters, the gradient of training in the weights, and the validation batch."""
    of.model.double()
    hyper = Hyperparameters(of)
    hyper.set(setting)
    train, valid = (
        [t.double() for t in next(b)]
        for b in (of.program.train_batches(), of.program.valid_batches())
    )
    of.program.loss(train).backward()
    return hyper, train, valid


def after(of: Supernet, valid: Any) -> dict[Any, torch.Tensor]:
    """The gradient of the validation loss after the step; the weights are put back."""
    before = [w.detach().clone() for w in of.model.parameters()]
    of.program.optimizer.step()
    v = torch.autograd.grad(of.program.loss(valid), list(of.model.parameters()))
    with torch.no_grad():
        for weight, value in zip(of.model.parameters(), before, strict=True):
            weight.copy_(value)
    of.program.optimizer.state.clear()
    return dict(zip(of.model.parameters(), v, strict=True))


@pytest.mark.parametrize(("rate", "decay"), [(0.3, 0.0), (0.05, 0.2)])
def test_the_derivative_by_a_learning_rate_is_minus_the_product_of_gradients(
    rate: float, decay: float
) -> None:
    """dL(W - eta g) / d eta = -g_val . g_train, and of a weight decay -eta g_val . W: exactly."""
    of = net(optimizer=sgd(oneof([0.1, 0.5]), 0.0, oneof([0.0, 0.3])))
    setting = Setting((0, 0), {0: rate, 1: decay})
    hyper, _, valid = ready(of, setting)
    v = after(of, valid)
    g = [w.grad + decay * w.detach() for w in of.model.parameters()]
    found = hyper.by_step(setting, setting, v)
    by_rate = -sum(float((v[w] * d).sum()) for w, d in zip(v, g, strict=True))
    by_decay = -rate * sum(float((v[w] * w.detach()).sum()) for w in v)
    slopes = [number.slope(0.0) for number in hyper.numbers.values()]
    assert found[0] == pytest.approx(by_rate * slopes[0], rel=1e-9)
    assert found[1] == pytest.approx(by_decay * slopes[1], rel=1e-9)


def test_a_basis_has_the_derivative_times_itself() -> None:
    """dL / dC_k = B_k dL / dh for h = sum_k C_k B_k; in logarithms where the scale is."""
    of = net(optimizer=sgd(oneof([0.1, 0.2, 0.5]), 0.0, oneof([1e-3, 1e-2, 1e-1])))
    search = DifferentiableAutoHAS()
    search.setup(of, Task(GOAL))
    rate, decay = search.hyper.numbers.values()
    assert (rate.log, decay.log) == (False, True)
    chain = rate.slope(rate.coordinate(0.2)) * search.sampler.basis[0]
    assert chain.tolist() == pytest.approx([0.1, 0.2, 0.5])
    chain = decay.slope(decay.coordinate(0.03)) * search.sampler.basis[1]
    assert chain.tolist() == pytest.approx([0.03 * math.log(b) for b in (1e-3, 1e-2, 1e-1)])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_what_a_step_makes_of_a_change_of_the_gradient(kind: Any) -> None:
    """J v: by a central difference of two real steps; weights and gradients are put back."""
    of = net()
    of.model.double()
    program = of.program
    program.optimizer = kind(of.model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(3)
    noise = [torch.randn(w.shape, generator=generator).double() for w in of.model.parameters()]
    v = {w: 1e-4 * n for w, n in zip(of.model.parameters(), noise, strict=True)}
    for weight in v:
        weight.grad = torch.ones_like(weight)
    program.optimizer.step()
    before = [w.detach().clone() for w in v]
    found = through(of, v)
    assert all(torch.equal(w, b) for w, b in zip(v, before, strict=True))
    assert all(bool((w.grad == 1).all()) for w in v if w.grad is not None)
    ends = []
    for sign in (1e-3, -1e-3):
        twin = net()
        twin.model.double()
        other = kind(twin.model.parameters(), 0.01)
        for step in range(2):
            for weight, n in zip(twin.model.parameters(), noise, strict=True):
                weight.grad = torch.ones_like(weight) + step * sign * n
            other.step()
        ends.append([w.detach() for w in twin.model.parameters()])
    for weight, plus, minus in zip(v, *ends, strict=True):
        assert torch.allclose(found[weight], 1e-4 * (plus - minus) / 2e-3, rtol=0.05)


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_a_number_in_the_loss_is_differentiated_through_the_step(rate: float) -> None:
    """Smoothing, which the loss is linear in: as autograd does it through a step of SGD."""
    of = net(optimizer=sgd(rate), smoothing=floatv(0.0, 0.5))
    [index] = of.live
    setting = Setting((0.2,), {index: 0.2})
    hyper, train, valid = ready(of, setting)
    v = after(of, valid)
    x, y = train
    share = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        of.model(x)[:, 0], y + share * (0.5 - y)
    )
    g = torch.autograd.grad(loss, list(v), create_graph=True)
    along = sum((-rate * d * v[w]).sum() for w, d in zip(v, g, strict=True))
    exact = float(torch.autograd.grad(along, share)[0])
    way = through(of, v)

    def slope(each: Setting) -> float:
        hyper.set(each)
        return slope_along(of, way, lambda: of.program.loss(train))

    found = hyper.by_loss(setting, setting, slope)[index]
    assert found == pytest.approx(exact * hyper.numbers[index].slope(0.0), rel=1e-4)


def test_a_kind_is_worth_where_its_step_leads() -> None:
    """v . (W'_k - W) for each kind of optimiser; one that ruins the weights is infinitely bad."""
    of = net(optimizer=oneof([sgd(0.1), sgd(oneof([0.2, 0.4])), sgd(1e9)]))
    setting = Setting((1, 0), {1: 0.2})
    hyper, _, valid = ready(of, setting)
    v = after(of, valid)
    found = hyper.by_step(setting, setting, v)
    slope = -sum(float((v[w] * w.grad).sum()) for w in v)
    kinds = found[hyper.kinds[0]]
    assert isinstance(kinds, list)
    assert kinds[:2] == pytest.approx([0.1 * slope, 0.2 * slope], rel=1e-6)
    assert kinds[2] == math.inf
    assert of.program.optimizer.param_groups[0]["lr"] == 0.2


@pytest.mark.parametrize("optimizer", [sgd(oneof([0.0, 0.5, 1e6], default=0.0)), None])
def test_a_ruinous_rate_is_dropped_and_a_good_one_found(optimizer: Any) -> None:
    """Never an exception, and weights that are finite; of a range, it ends within a decade."""
    of = net(optimizer=optimizer or sgd(floatv(1e-3, 1e3, "log", default=1e-3)))
    search = DifferentiableAutoHAS(every=1, delay=0.0)
    run(search, of, 300)
    best = next(search.derive(dict))["optimizer.lr"]
    assert best == 0.5 if optimizer else 0.01 < best < 2.0
    if optimizer:
        assert chances(search, "optimizer.lr")[2] < 0.1
    assert all(weight.isfinite().all() for weight in of.model.parameters())
    assert of.program.evaluate()["accuracy"] > 0.8


def test_layers_and_hyperparameters_are_found_together() -> None:
    """The lossy layer and the rate of 0 are dropped."""
    search = DifferentiableAutoHAS(every=1, delay=0.1)
    run(search, net(network(), sgd(oneof([0.0, 0.1, 0.5], default=0.0))), 300)
    assert chances(search, "model.args[0]")[0] > 0.8
    record = next(search.derive(dict))
    assert (record["model.args[0]"], record["optimizer.lr"] > 0) == ("all", True)


class Noise(nn.Module):
    """Multiplies by a number in training, and is nothing in evaluation."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x, or a multiple of it."""
        return self.factor * x if self.training else x


def test_what_acts_in_training_alone_has_its_gradient_through_the_step() -> None:
    """A layer that stops the training is dropped, though validation never sees it."""
    noise = symbolize(Noise)
    model = sequence(oneof([noise(0.0), noise(1.0)]), layer(WIDTH, 1))
    search = DifferentiableAutoHAS(every=1, delay=0.0)
    run(search, net(model, sgd(0.01)), 200)
    assert chances(search, "model.args[0]")[1] > 0.8


@pytest.mark.parametrize("order", [1, 2])
def test_a_step_of_the_policy_leaves_the_training_as_it_was(order: Any) -> None:
    """Weights, momenta and the generator of the noise, bit for bit."""
    of = net(network(), sgd(oneof([0.1, 0.3]), 0.9), smoothing=oneof([0.0, 0.2]))
    search = DifferentiableAutoHAS(order=order)
    search.setup(of, Task(GOAL))
    train, valid = next(of.program.train_batches()), next(of.program.valid_batches())
    sample = search.sampler.draw(1.0, search.generator)
    search.hyper.set(sample.setting)
    search.train_weights(train)
    search.differentiate(train)
    before = copy.deepcopy((of.model.state_dict(), of.program.optimizer.state_dict()))
    noise = torch.get_rng_state()
    logits = [each.detach().clone() for each in search.logits.parameters()]
    search._learn(sample, train, valid)
    for key, value in of.model.state_dict().items():
        assert torch.equal(value, before[0][key])
    for i, state in of.program.optimizer.state_dict()["state"].items():
        assert torch.equal(state["momentum_buffer"], before[1]["state"][i]["momentum_buffer"])
    assert torch.equal(noise, torch.get_rng_state())
    for old, new in zip(logits, search.logits.parameters(), strict=True):
        assert not torch.equal(old, new)


@pytest.mark.parametrize("options", [{}, {"order": 2, "gradient": "selected", "every": 1}])
def test_it_goes_on_bit_for_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    """The policy, its optimiser, the noise and the magnitudes are in the state."""

    def start() -> Loop:
        rates = sgd(floatv(0.01, 1.0, "log"), momentum=oneof([0.0, 0.9]))
        of = net(network(), oneof([rates, sgd(0.1)]), smoothing=oneof([0.0, 0.1]))
        of.program.steps = 24
        return Loop(of, DifferentiableAutoHAS(**options), Task(GOAL, seed=2), records=24)

    whole = start()
    expected = [(r.metrics, r.policy) for r in whole]
    assert expected[3][1] != expected[-1][1]
    for stop in (7, 16):
        first = start()
        next(r for i, r in enumerate(first) if i == stop)
        torch.save(first.state_dict(), tmp_path / "state.pt")
        torch.rand(3)
        again = start()
        again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert [(r.metrics, r.policy) for r in again] == expected[stop + 1 :]
        after_, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
        assert all(torch.equal(after_[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(
    "wrong",
    [{"order": 3}, {"gradient": "some"}, {"every": 0}, {"bases": 1}, {"delay": 1.0}, {"tau": 0.0}],
)
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """Each is told."""
    with pytest.raises(UserError):
        DifferentiableAutoHAS(**wrong)
