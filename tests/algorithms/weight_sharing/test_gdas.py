"""GDAS: the noise, the temperature, its three gradients, and that it wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from automl_algorithms.weight_sharing._relaxed import gumbel, relaxed, temperature
from automl_algorithms.weight_sharing.gates import Pick
from automl_algorithms.weight_sharing.gdas import GDAS
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize

from ._resume import assert_resumes
from ._spaces import rich
from .bandit import bandit, search
from .stepwise import conv, identity, lowered, sequential

ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6
AT = Moment(0, 0, 1, 10)
tanh = symbolize(torch.nn.Tanh)


def ready(net: Any, **options: Any) -> GDAS:
    """A search that is set up."""
    found = GDAS(**options)
    found.setup(net, Task(Objective("accuracy"), seed=1))
    return found


# Noise and temperature.


def test_the_temperature_falls_from_epoch_to_epoch() -> None:
    """10 in the first and 0.1 in the last, also of one epoch."""

    def at(epoch: int, epochs: int) -> float:
        return temperature(Moment(epoch, 0, epochs, 1), 10.0, 0.1)

    assert [at(e, 5) for e in range(5)] == pytest.approx([10, 7.525, 5.05, 2.575, 0.1])
    assert at(0, 1) == 10


def test_the_noise_is_gumbels() -> None:
    """Mean 0.5772, variance pi^2 / 6; from its own generator."""
    generator = torch.Generator().manual_seed(0)
    noise = gumbel(100_000, generator)
    assert noise.mean() == pytest.approx(0.5772, abs=3 * 1.283 / 316)
    assert noise.var() == pytest.approx(torch.pi**2 / 6, rel=0.03)
    again = gumbel(100_000, torch.Generator().manual_seed(0))
    assert torch.equal(noise, again)


@pytest.mark.parametrize("tau", [10.0, 0.1])
def test_the_selected_are_samples_of_the_policy(tau: float) -> None:
    """Their frequencies over 20,000 draws, within 4 standard deviations, at any temperature."""
    logits = torch.tensor([0.5, -1.0, 0.0, 1.5])
    generator = torch.Generator().manual_seed(2)
    n = 20_000
    drawn = [int(relaxed(logits, tau, generator).argmax()) for _ in range(n)]
    p = logits.softmax(0)
    found = torch.tensor(drawn).bincount(minlength=4) / n
    assert ((found - p).abs() < 4 * (p * (1 - p) / n).sqrt()).all()


# Gradients.


class Probe:
    """One decision between three modules, with everything that its gradient consists of."""

    def __init__(self, gradient: Any) -> None:
        edge = oneof([conv(3, 3, 3, padding=1), identity(), tanh()])
        self.net = lowered(sequential(conv(3, 3, 1), edge))
        gdas = ready(self.net, gradient=gradient)
        self.net.gates[0].choose(1)
        x = self.net.model[0](self.net.program.images)  # type: ignore[index]
        candidates = self.net.model[1].candidates  # type: ignore[index]
        gdas._pick(2.0)
        use = self.net.gates[0].use()
        assert isinstance(use, Pick)
        self.hard, self.index = use.hard, use.index
        self.outputs = [candidate(x).detach() for candidate in candidates]
        y = self.outputs[self.index].clone().requires_grad_()
        cubic = ((y - 1) ** 3).mean()
        (self.slope,) = torch.autograd.grad(cubic, y)
        p = use.weights.detach().double()
        self.jacobian = (p.diag() - torch.outer(p, p)) / 2.0  # of softmax(z / tau), tau = 2
        loss = self.net.program.loss(self.net.program.batch)
        assert loss.item() == pytest.approx(cubic.item(), rel=1e-12)
        (self.found,) = torch.autograd.grad(loss, gdas.logits.of[0])

    def wanted(self, slopes: Tensor) -> Tensor:
        """What dL/dh gives in the logits: through log softmax, which adds nothing, and J."""
        return self.jacobian @ slopes

    def slopes(self, outputs: list[Tensor]) -> Tensor:
        """<dL/dy, output of each candidate>."""
        return torch.stack([(self.slope * output).sum() for output in outputs])


def test_the_value_is_one_hot_and_sums_to_one() -> None:
    """Exactly, with a gradient behind it."""
    probe = Probe("all")
    assert sorted(probe.hard.tolist()) == [0.0, 0.0, 1.0]
    assert probe.hard.requires_grad


def test_straight_through_learns_by_all_candidates() -> None:
    """dL/dh_j = <dL/dy, op_j(x)>."""
    probe = Probe("all")
    wanted = probe.wanted(probe.slopes(probe.outputs))
    assert torch.allclose(probe.found.double(), wanted, rtol=1e-5)


def test_the_authors_code_takes_the_others_for_ones() -> None:
    """dL/dh_j = sum(dL/dy) for all j but the selected."""
    probe = Probe("sum")
    ones = [torch.ones_like(each) for each in probe.outputs]
    ones[probe.index] = probe.outputs[probe.index]
    wanted = probe.wanted(probe.slopes(ones))
    assert torch.allclose(probe.found.double(), wanted, rtol=1e-5)


def test_the_selected_alone() -> None:
    """dL/dh_j = 0 for all j but the selected."""
    probe = Probe("selected")
    nothing = [torch.zeros_like(each) for each in probe.outputs]
    nothing[probe.index] = probe.outputs[probe.index]
    wanted = probe.wanted(probe.slopes(nothing))
    assert torch.allclose(probe.found.double(), wanted, rtol=1e-5)


@pytest.mark.parametrize(("gradient", "calls"), [("all", 1 + 5), ("sum", 2), ("selected", 2)])
def test_what_a_step_computes(gradient: Any, calls: int) -> None:
    """One candidate for the weights; for the policy one, or all of five."""
    net = lowered(sequential(oneof([conv(3, 3, 2 * k + 1, padding=k) for k in range(5)])))
    made = []
    for candidate in net.model[0].candidates:  # type: ignore[index]
        candidate.register_forward_hook(lambda *_: made.append(1))
    batch = net.program.batch
    ready(net, gradient=gradient).step(batch, lambda: batch, AT)
    assert len(made) == calls


# The search.


def test_weights_and_policy_have_samples_of_their_own() -> None:
    """The path that is trained is not the one by which the policy learns."""
    net = bandit([[i / 100 for i in range(100)]])
    gdas = ready(net)
    pairs = []
    for _ in range(20):
        gdas.step(torch.zeros(()), lambda: torch.zeros(()), AT)
        use = net.gates[0].use()
        assert isinstance(use, Pick)
        trained = [a.weight.grad is not None for a in net.model[0].candidates]  # type: ignore[index]
        pairs.append((trained.index(True), use.index))
    assert sum(a == b for a, b in pairs) < 5


def test_samples_keep_the_constraint_of_a_group() -> None:
    """Two different ones of three, in both parts of a step."""
    net = rich()
    gdas = ready(net)
    for _ in range(20):
        gdas._pick(1.0)
        uses = [net.gates[p.index].use() for p in net.space.points if p.group is not None]
        assert all(isinstance(use, Pick) for use in uses)
        assert len({use.index for use in uses if isinstance(use, Pick)}) == 2
    gdas.step(torch.zeros(()), lambda: torch.zeros(()), AT)
    assert all(p.isfinite().all() for p in gdas.logits.parameters())


@pytest.mark.parametrize("seed", range(2))
def test_it_finds_the_best_arms(seed: int) -> None:
    """Six decisions of five candidates."""
    net = bandit(ROWS)
    found = search(GDAS(), net, 600, Task(Objective("accuracy"), seed))
    assert next(found.derive(lambda: None)).values == (2,) * 6
    assert all(chances[2] > 0.5 for chances in found.policy().values())


@pytest.mark.parametrize("gradient", ["all", "sum", "selected"])
def test_it_goes_on_bit_for_bit(gradient: Any, tmp_path: Path) -> None:
    """Alphas, their optimiser, and the noise."""
    assert_resumes(lambda: GDAS(gradient=gradient), tmp_path)


@pytest.mark.parametrize("wrong", [{"gradient": "both"}, {"tau": [10.0]}, {"tau": [10.0, 0.0]}])
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """A temperature is positive."""
    with pytest.raises(UserError):
        GDAS(**wrong)


def test_the_published_setting() -> None:
    """One candidate per decision, and others as ones."""
    gdas = ready(bandit(ROWS), preset="nats")
    assert (gdas.gradient, gdas.tau, gdas.lr) == ("sum", (10.0, 0.1), 3e-4)
