"""Hypergradient descent: exact derivatives, plain training without it, and rates that mend."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing._update import outcome
from automl_algorithms.weight_sharing.hypergradient import Hypergradient
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import floatv, oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space

from .ridge import ridge
from .test_autohas import net, network
from .tuned import sgd

GOAL = Objective("loss", "minimize")


def searched(start: float, momentum: float = 0.0, decay: float = 0.0) -> Supernet:
    """Ridge regression whose learning rate is searched from here."""
    return ridge(sgd(floatv(1e-5, 1.0, "log", default=start), momentum, decay))


def steps(search: Hypergradient, of: Supernet, n: int) -> list[float]:
    """The learning rate after each of some steps, on one batch."""
    search.setup(of, Task(GOAL))
    program = of.program
    return [
        search.step(program.train, lambda: program.valid, Moment(0, i, 1, n))["rate"]
        for i in range(n)
    ]


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_rate_moves_by_the_product_of_two_gradients(decay: float) -> None:
    """Additive: eta_t = eta_{t-1} + beta g_t . g_{t-1}, weight decay included in g."""
    of = searched(0.05, decay=decay)
    weight, beta, eta = of.model.weight, 1e-4, 0.05
    gradients = []
    at = weight.detach().clone().requires_grad_()
    program = of.program
    for _ in range(2):
        x, y = program.train
        loss = (x @ at.T - y).square().mean() / 2 + decay * at.square().sum() / 2
        gradients.append(torch.autograd.grad(loss, at)[0])
        at = (at - eta * gradients[-1]).detach().requires_grad_()
    found = steps(Hypergradient(rule="additive", beta=beta), of, 2)
    expected = eta + beta * float((gradients[0] * gradients[1]).sum())
    assert found[0] == eta
    assert found[1] == pytest.approx(expected, rel=1e-9)


def test_adam_has_the_direction_of_its_step() -> None:
    """u = m / (sqrt(v) + eps) with both corrected: eta += beta g_t . u."""
    of = searched(0.01)
    weight, beta = of.model.weight, 1e-4
    of.program.optimizer = torch.optim.Adam([weight], 0.01, betas=(0.8, 0.9), eps=1e-3)
    group = of.program.optimizer.param_groups[0]
    of.program.adopt = lambda name, value: group.update(lr=value.lr)
    m = v = torch.zeros(())
    at, eta, direction = weight.detach().clone(), 0.01, None
    expected = []
    for t in range(1, 5):
        x, y = of.program.train
        g = (x.T @ (x @ at.T - y) / len(x)).T
        if direction is not None:
            eta += beta * float((g * direction).sum())
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        direction = m / (1 - 0.8**t) / ((v / (1 - 0.9**t)).sqrt() + 1e-3)
        at = at - eta * direction
        expected.append(eta)
    assert steps(Hypergradient(rule="additive", beta=beta), of, 4) == pytest.approx(
        expected, rel=1e-9
    )


@pytest.mark.parametrize("rule", ["additive", "multiplicative"])
@pytest.mark.parametrize("validation", [False, True])
def test_without_beta_it_is_a_plain_training(rule: Any, validation: bool) -> None:
    """Bit for bit, with momentum and weight decay."""
    plain, moved = (
        net(None, sgd(0.03, 0.9, 0.01)),
        net(None, sgd(floatv(1e-4, 1.0, "log", default=0.03), 0.9, 0.01)),
    )
    plain.model.load_state_dict(moved.model.state_dict())
    search = Hypergradient(rule=rule, beta=0.0, validation=validation)
    search.setup(moved, Task(GOAL))
    for step, batch in enumerate(list(plain.program.train_batches())[:20]):
        search.step(batch, dict, Moment(0, step, 1, 20))
        plain.program.optimizer.zero_grad()
        plain.program.loss(batch).backward()
        plain.program.optimizer.step()
        assert torch.equal(plain.model.weight, moved.model.weight)


@pytest.mark.parametrize(
    "options",
    [{}, {"rule": "multiplicative"}, {"rule": "multiplicative", "validation": True, "beta": 0.02}],
)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_rate_that_is_far_too_small_grows(options: dict[str, Any], momentum: float) -> None:
    """And the loss in the end is lower than that of the plain training."""
    ends = []
    for beta in (0.0, None):
        of = searched(1e-4, momentum)
        before = of.model.weight.detach().clone().fill_(0.1)
        with torch.no_grad():
            of.model.weight.copy_(before)
        search = Hypergradient(**(options | ({} if beta is None else {"beta": beta})))
        rates = steps(search, of, 200)
        ends.append(of.program.loss(of.program.train).item())
    assert rates[-1] > 2e-4
    assert ends[1] < 0.9 * ends[0]


def test_a_rate_that_is_far_too_large_shrinks() -> None:
    """Multiplicative: cos(g_t, u) is negative where steps go back and forth."""
    of = ridge(sgd(floatv(1e-5, 10.0, "log", default=2.0)))
    rates = steps(Hypergradient(rule="multiplicative", beta=0.1), of, 12)
    assert rates[-1] < 1.0


def test_it_stays_in_its_range_and_ends_with_its_value() -> None:
    """A list is a range between its ends, and the record has the nearest in logarithms."""
    of = ridge(sgd(oneof([1e-4, 1e-3, 1e-2], default=1e-4)))
    search = Hypergradient(rule="multiplicative", beta=0.3)
    rates = steps(search, of, 60)
    assert max(rates) == pytest.approx(1e-2)
    search.turn({0: 2e-3})
    assert next(search.derive(lambda: None))["optimizer.lr"] == 1e-3
    near = math.log(2) / math.log(10)
    assert search.policy()[0] == pytest.approx([0.0, 1 - near, near])
    free = searched(1e-4)
    last = steps(ready := Hypergradient(), free, 20)[-1]
    assert next(ready.derive(lambda: None))["optimizer.lr"] == last
    assert ready.policy() == {}


@pytest.mark.parametrize("options", [{}, {"rule": "multiplicative"}, {"validation": True}])
def test_it_goes_on_bit_for_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    """The rate and the last change of the weights are in the state."""

    def start() -> Loop:
        of = net(None, sgd(floatv(1e-4, 1.0, "log", default=0.03), 0.9))
        of.program.steps = 20
        return Loop(of, Hypergradient(**options), Task(GOAL), records=20)

    whole = start()
    expected = [r.metrics for r in whole]
    assert expected[0]["rate"] != expected[-1]["rate"]
    first = start()
    next(r for i, r in enumerate(first) if i == 9)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    again = start()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [r.metrics for r in again] == expected[10:]
    assert torch.equal(again.net.model.weight, whole.net.model.weight)


def test_the_outcome_of_a_step_leaves_everything_as_it_was() -> None:
    """Weights and momenta, bit for bit; a ruinous step has an infinite outcome."""
    of = searched(0.05, 0.9)
    program, weight = of.program, of.model.weight
    program.loss(program.train).backward()
    program.optimizer.step()
    before = weight.detach().clone(), program.optimizer.state[weight]["momentum_buffer"].clone()
    v = {weight: weight.grad.clone()}
    assert outcome(of, v) < 0
    program.optimizer.param_groups[0]["lr"] = 1e9
    assert outcome(of, v) == math.inf
    assert torch.equal(weight, before[0])
    assert torch.equal(program.optimizer.state[weight]["momentum_buffer"], before[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net(network(), sgd(oneof([0.1, 0.2]))), r"model.args\[0\]: it is a decision of"),
        (lambda: net(None, sgd(0.1, 0.0, oneof([0.0, 0.2]))), "weight_decay: it is no learning"),
        (lambda: net(None, sgd(0.1), smoothing=oneof([0.0, 0.2])), "smoothing: it is no learning"),
        (lambda: lower(Space(network_free())), "moves one learning rate, and there are none"),
    ],
)
def test_all_but_one_learning_rate_is_refused(make: Callable[[], Supernet], message: str) -> None:
    """By name."""
    with pytest.raises(UserError, match=message):
        Hypergradient().setup(make(), Task(GOAL))


def network_free() -> Any:
    """A program without decisions."""
    from .tuned import WIDTH, layer, linear

    return linear(layer(WIDTH, 1), sgd(0.1))


@pytest.mark.parametrize("wrong", [{"rule": "cosine"}, {"beta": -1.0}, {"beta": math.nan}])
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """Each is told."""
    with pytest.raises(UserError):
        Hypergradient(**wrong)
