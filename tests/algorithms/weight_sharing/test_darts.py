"""DARTS: its second-order gradient against automatic differentiation, its order, that it wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from automl_algorithms.weight_sharing._lookahead import lookahead_gradient
from automl_algorithms.weight_sharing.darts import DARTS
from automl_algorithms.weight_sharing.search import Diverged, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize

from ._resume import assert_resumes
from .bandit import bandit, search
from .stepwise import Batch, conv, identity, lowered, norm, sequential

SMALL = Objective("loss", "minimize")
ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6
AT = Moment(0, 0, 1, 10)
tanh, dropout = symbolize(torch.nn.Tanh), symbolize(torch.nn.Dropout)


def smooth(*more: Any) -> Supernet:
    """Two switches in a network that has a Hessian, momentum and weight decay, after a step."""
    edges = (oneof([conv(3, 3, 3, padding=1), identity(), tanh()]) for _ in range(2))
    net = lowered(sequential(conv(3, 3, 1), *edges, norm(3), tanh(), *more, conv(3, 3, 1)))
    net.program.optimizer.param_groups[0].update(lr=0.005, momentum=0.9, weight_decay=1e-2)
    darts = ready(net)
    for _ in range(3):
        darts.step(net.program.batch, lambda: other(net), AT)
    return net


def ready(net: Supernet, **options: Any) -> DARTS:
    """A search that is set up."""
    found = DARTS(**options)
    found.setup(net, Task(SMALL, seed=1))
    return found


def other(net: Supernet) -> Batch:
    """A validation batch."""
    images, target = net.program.batch
    return images.flip(0) * 0.8 + 0.1, target * 0.5


def mixed(net: Supernet, alphas: list[Tensor], batch: Batch) -> Tensor:
    """The loss of a mixture."""
    net.mix(dict(zip(net.gates, (a.softmax(0) for a in alphas), strict=True)))
    loss: Tensor = net.program.loss(batch)
    return loss


def float64_alphas(net: Supernet) -> list[Tensor]:
    """As a search has them, but exact."""
    generator = torch.Generator().manual_seed(5)
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    return [draw(gate.size).requires_grad_() for gate in net.gates.values()]


def exact(net: Supernet, alphas: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The gradient through one step of SGD, and the part of it that is direct."""
    weights, group = dict(net.model.named_parameters()), net.program.optimizer.param_groups[0]

    def loss(weights: Mapping[str, Tensor], batch: Batch) -> Tensor:
        model = net.model
        net.program.__dict__["model"] = lambda x: functional_call(model, dict(weights), (x,))
        try:
            return mixed(net, alphas, batch)
        finally:
            net.program.__dict__["model"] = model

    gradients = torch.autograd.grad(
        loss(weights, net.program.batch), list(weights.values()), create_graph=True
    )
    after = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        buffer = net.program.optimizer.state[weight]["momentum_buffer"]
        change = group["momentum"] * buffer + gradient + group["weight_decay"] * weight
        after[name] = weight - group["lr"] * change
    total = torch.autograd.grad(loss(after, other(net)), alphas)
    stopped = {name: weight.detach() for name, weight in after.items()}
    direct = torch.autograd.grad(loss(stopped, other(net)), alphas)
    return list(total), list(direct)


def error(found: list[Tensor], wanted: list[Tensor]) -> float:
    """Relative, of all entries together."""
    a, b = torch.cat(found), torch.cat(wanted)
    return float((a - b).norm() / b.norm())


def estimate(net: Supernet, alphas: list[Tensor]) -> list[Tensor]:
    """By finite differences."""
    train = partial(mixed, net, alphas, net.program.batch)
    valid = partial(mixed, net, alphas, other(net))
    return lookahead_gradient(net.model, net.program.optimizer, train, valid, alphas)[1]


def test_the_second_order_gradient_is_that_of_the_step() -> None:
    """Momentum and weight decay included; to 1e-6, and its implicit part to 1e-3."""
    net = smooth()
    alphas = float64_alphas(net)
    total, direct = exact(net, alphas)
    found = estimate(net, alphas)
    assert error(found, total) < 1e-6
    implicit = [t - d for t, d in zip(total, direct, strict=True)]
    assert error([f - d for f, d in zip(found, direct, strict=True)], implicit) < 1e-3
    first = list(torch.autograd.grad(mixed(net, alphas, other(net)), alphas))
    assert error(first, total) > 100 * error(found, total)
    assert error(direct, total) > 100 * error(found, total)


def test_a_look_ahead_leaves_no_trace() -> None:
    """Weights, buffers, momentum, gradients and noise are as before, bit for bit."""
    net = smooth(dropout(0.5))

    def everything() -> list[Tensor]:
        optimizer = net.program.optimizer.state_dict()["state"]
        state = [
            *net.model.state_dict().values(),
            *(s["momentum_buffer"] for s in optimizer.values()),
        ]
        return [each.clone() for each in state]

    before, grads = everything(), [p.grad for p in net.model.parameters()]
    estimate(net, float64_alphas(net))
    assert all(torch.equal(a, b) for a, b in zip(everything(), before, strict=True))
    assert all(p.grad is g for p, g in zip(net.model.parameters(), grads, strict=True))


def test_both_ends_of_the_difference_have_the_same_noise() -> None:
    """Else their difference, over a small distance, would be nothing but noise."""
    net = smooth(dropout(0.5))
    alphas, states = float64_alphas(net), []

    def train() -> Tensor:
        states.append(torch.get_rng_state())
        return mixed(net, alphas, net.program.batch)

    valid = partial(mixed, net, alphas, other(net))
    lookahead_gradient(net.model, net.program.optimizer, train, valid, alphas)
    assert len(states) == 3
    assert torch.equal(states[1], states[2])
    assert torch.equal(torch.get_rng_state(), states[1])
    assert not torch.equal(states[0], states[1])


def test_without_a_step_to_foresee_both_orders_are_one() -> None:
    """With a learning rate of 0 for the weights."""
    policies = []
    for order in (1, 2):
        net = smooth()
        net.program.optimizer.param_groups[0]["lr"] = 0.0
        darts = ready(net, order=order)
        for _ in range(5):
            darts.step(net.program.batch, lambda net=net: other(net), AT)  # type: ignore[misc]
        policies.append(darts.policy())
    assert policies[0] == policies[1]


def test_order_2_is_refused_without_sgd() -> None:
    """It says that order 1 works."""
    net = smooth()
    net.program.optimizer = torch.optim.Adam(net.model.parameters())
    with pytest.raises(UserError, match="steps of SGD, and the program has Adam") as caught:
        ready(net, order=2)
    assert "order: 1" in str(caught.value)
    ready(net, order=1)


@pytest.mark.parametrize("first", ["weights", "alphas"])
@pytest.mark.parametrize("order", [1, 2])
def test_what_is_first_in_a_step(first: Any, order: Any) -> None:
    """The alphas see the weights after or before their step, which leaves no gradient to them."""
    net, seen = smooth(), []
    darts = ready(net, first=first, order=order)
    train = darts.train_weights
    learn = darts.descend

    def noted(name: str, call: Callable[..., Any], given: Any) -> Any:
        seen.append(name)
        return call(given)

    darts.train_weights = partial(noted, "weights", train)  # type: ignore[method-assign]
    darts.descend = partial(noted, "alphas", learn)  # type: ignore[method-assign]
    darts.step(net.program.batch, lambda: other(net), AT)
    assert seen == [first, *({"weights", "alphas"} - {first})]


def test_the_policy_is_trained_on_the_validation_batch_alone() -> None:
    """And the weights on the training batch alone."""
    net = smooth()
    darts = ready(net)
    before = [p.detach().clone() for p in net.model.parameters()]
    darts.mix(learn=False)
    darts.train_weights(net.program.batch)
    assert not any(a.grad is not None for a in darts.logits.parameters())
    trained = [p.detach().clone() for p in net.model.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(trained, before, strict=True))
    net.program.optimizer.zero_grad()
    darts.learn(partial(darts.mix, learn=True), other(net))
    assert all(p.grad is None for p in net.model.parameters())
    assert all(torch.equal(p, t) for p, t in zip(net.model.parameters(), trained, strict=True))


def test_a_mixture_of_one_is_the_path() -> None:
    """With a policy that is decided, output and weight gradients are those of the record."""
    net = smooth()
    darts = ready(net)
    with torch.no_grad():
        for logits in darts.logits.parameters():
            logits.copy_(torch.tensor([1000.0, 0.0, 0.0]))
    found = []
    for mixture in (True, False):
        if mixture:
            darts.mix(learn=False)
        else:
            net.choose(next(darts.derive(lambda: None)))
        loss = net.program.loss(net.program.batch)
        weights = list(net.model.parameters())
        found.append(
            [loss, *torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True)]
        )
    assert all((a - b).abs().max() < 1e-12 for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize(("order", "passes"), [(1, 2), (2, 5)])
def test_the_cost_of_a_step_is_linear_in_the_candidates(size: int, order: Any, passes: int) -> None:
    """Every candidate is computed once in each pass: 2 of them, and 5 for the second order."""
    net = lowered(sequential(oneof([conv(3, 3, 2 * k + 1, padding=k) for k in range(size)])))
    calls: list[int] = []
    for candidate in net.model[0].candidates:  # type: ignore[index]
        candidate.register_forward_hook(lambda *_: calls.append(1))
    ready(net, order=order).step(net.program.batch, lambda: other(net), AT)
    assert len(calls) == size * passes


@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, 400), ({"order": 2, "lr": 0.1}, 120), ({"preset": "paper", "lr": 0.1}, 120)],
)
def test_it_finds_the_best_arms(options: dict[str, Any], steps: int) -> None:
    """Six decisions of five candidates."""
    found = search(DARTS(**options), bandit(ROWS), steps, Task(Objective("accuracy")))
    assert all(chances[2] == max(chances) > 0.5 for chances in found.policy().values())
    assert next(found.derive(lambda: None)).values == (2,) * 6


def test_a_gradient_that_is_not_finite_leaves_the_policy() -> None:
    """It is said, as for the weights."""
    net = smooth()
    darts = ready(net)
    before = darts.policy()
    images, target = other(net)
    with pytest.raises(Diverged, match="gradient of the policy"):
        darts.step(net.program.batch, lambda: (images * torch.nan, target), AT)
    assert darts.policy() == before


@pytest.mark.parametrize("options", [{}, {"order": 2}])
def test_it_goes_on_bit_for_bit(options: dict[str, Any], tmp_path: Path) -> None:
    """Alphas and their optimiser are in the state."""
    assert_resumes(lambda: DARTS(**options), tmp_path)


@pytest.mark.parametrize("wrong", [{"order": 3}, {"first": "alpha"}, {"preset": "natz"}])
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """The hint has the nearest."""
    with pytest.raises(UserError):
        DARTS(**wrong)


def test_presets_are_overridden_one_by_one() -> None:
    """The published constants, but for what is said."""
    darts = ready(smooth(), preset="nats", weight_decay=0.0)
    group = darts.optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-4, (0.5, 0.999), 0.0)
    assert (darts.first, DARTS(preset="paper").first) == ("weights", "alphas")
