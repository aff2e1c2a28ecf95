"""ENAS: the controller's probabilities, its phases, its baselines, and that it wins."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing._controller import BOUND, Controller, bounded
from automl_algorithms.weight_sharing.enas import ENAS, EpochBaseline
from automl_algorithms.weight_sharing.gates import Choose
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective

from ._resume import assert_resumes
from ._spaces import rich
from .bandit import bandit, prices, search

ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6
GOAL = Objective("accuracy")
ZERO = torch.zeros(())


def ready(net: Supernet, task: Task | None = None, **options: Any) -> ENAS:
    """A search that is set up."""
    found = ENAS(**options)
    found.setup(net, task or Task(GOAL, seed=1))
    return found


def controller(net: Supernet, shared: bool = False) -> Controller:
    """With parameters large enough for a distribution that is far from uniform."""
    found = Controller(net, shared, torch.Generator().manual_seed(4))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.mul_(15)
    return found


# The controller.


@pytest.mark.parametrize("shared", [True, False])
def test_the_probabilities_of_all_records_add_to_one(shared: bool) -> None:
    """On a space with a nested choice and a group: nothing impossible has a share."""
    net = rich()
    found = controller(net, shared)
    with torch.no_grad():
        chances = [found.of(record).log_prob.exp().item() for record in net.space.enumerate()]
    assert len(chances) == (3 + 1) * 6
    assert sum(chances) == pytest.approx(1, abs=1e-5)
    assert max(chances) > 2 / len(chances)


def test_a_sample_knows_its_probability() -> None:
    """The product of the chances on its way; the entropy is theirs."""
    net = rich()
    found, rng = controller(net), random.Random(0)
    for _ in range(20):
        walk = found.sample(rng)
        again = found.of(walk.decisions)
        assert again.log_prob.item() == pytest.approx(walk.log_prob.item())
        values = walk.decisions.values
        product = 1.0
        for i, chances in walk.chances.items():
            value = values[i]
            assert value is not None
            product *= chances[net.space.points[i].place(value)]
        assert product == pytest.approx(math.exp(walk.log_prob.item()), rel=1e-4)
        wanted = -sum(p * math.log(p) for c in walk.chances.values() for p in c if p > 0)
        assert walk.entropy == pytest.approx(wanted, rel=1e-4)
        assert walk.chances.keys() == {i for i, v in enumerate(values) if v is not None}


def test_samples_are_as_frequent_as_they_are_probable() -> None:
    """Over 1,000 of them, within 4 standard deviations."""
    net = bandit([[0.1, 0.2], [0.1, 0.2, 0.3]])
    found, rng, n = controller(net), random.Random(0), 1000
    with torch.no_grad():
        drawn = [found.sample(rng).decisions for _ in range(n)]
        for record in net.space.enumerate():
            p = found.of(record).log_prob.exp().item()
            assert abs(drawn.count(record) / n - p) < 4 * (p * (1 - p) / n) ** 0.5


def test_a_decision_may_depend_on_the_one_before() -> None:
    """As independent logits could not."""
    net = bandit([[0.1, 0.2], [0.1, 0.2]])
    found = controller(net)
    with torch.no_grad():
        chances = {r.values[0]: found.of(r).chances[1] for r in net.space.enumerate()}
    assert abs(chances[0][0] - chances[1][0]) > 0.01


def test_logits_are_bounded() -> None:
    """By 2.5: no candidate of two is less probable than 1 in 149."""
    assert float(bounded(torch.tensor(1e6))) == BOUND == 2.5
    assert float(bounded(torch.tensor(0.05))) == pytest.approx(0.025, rel=1e-3)
    net = bandit([[0.1, 0.2]] * 3)
    found = controller(net)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.mul_(1e4)
        assert all(min(c) >= 1 / 149.5 for c in found.greedy().chances.values())


def test_parameters_are_drawn_from_the_generator_alone() -> None:
    """The global one, which is the network's, stays where it was."""
    net = bandit(ROWS)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two = (Controller(net, False, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert all(p.abs().max() <= 0.1 for p in one.parameters())


def test_decisions_between_the_same_candidates_can_share() -> None:
    """One embedding and one classifier for all, or one for each."""
    net = bandit(ROWS)
    assert len(Controller(net, True, torch.Generator()).embeddings) == 1
    assert len(Controller(net, False, torch.Generator()).embeddings) == 6


# The search.


def test_each_phase_leaves_the_other_alone() -> None:
    """Steps train weights by one path; the end of an epoch trains the controller by rewards."""
    net = bandit(ROWS)
    enas = ready(net, updates=3, samples=4)
    rewards = []
    reward = enas.reward

    def noted(batch: Any) -> float:
        assert all(isinstance(gate.use(), Choose) for gate in net.gates.values())
        rewards.append(reward(batch))
        return rewards[-1]

    enas.reward = noted  # type: ignore[method-assign]
    before = [p.clone() for p in enas.controller.parameters()]
    enas.step(ZERO, lambda: ZERO, Moment(0, 0, 1, 10))
    assert not rewards
    assert all(torch.equal(a, b) for a, b in zip(enas.controller.parameters(), before, strict=True))
    net.program.optimizer.zero_grad()
    seen = enas.end_epoch(lambda: ZERO, Moment(0, 9, 1, 10))
    assert len(rewards) == 12
    assert seen["reward"] == pytest.approx(sum(rewards) / 12)
    assert all(p.grad is None for p in net.model.parameters())
    assert not all(
        torch.equal(a, b) for a, b in zip(enas.controller.parameters(), before, strict=True)
    )


def test_the_baseline_of_an_epoch() -> None:
    """b = B - 0.01 (B - r); the mean of these is the next B; the first epoch has b = r."""
    baseline = EpochBaseline()
    assert [baseline.take(r) for r in (0.2, 0.4)] == [0.2, 0.4]
    baseline.end_epoch()
    assert baseline.take(0.5) == pytest.approx(0.3 + 0.01 * 0.2)
    assert baseline.take(0.1) == pytest.approx(0.3 - 0.01 * 0.2)
    baseline.end_epoch()
    assert baseline.before == pytest.approx(0.3)
    baseline.end_epoch()
    assert baseline.before == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("preset", "epochs"),
    [("default", 3), pytest.param("nats", 8, marks=pytest.mark.slow)],
)
def test_the_controller_wins_a_bandit(preset: Any, epochs: int) -> None:
    """The mean reward rises from that of uniform draws, 0.38, towards the best, 0.9."""
    enas = ready(bandit(ROWS), preset=preset)
    means = [
        enas.end_epoch(lambda: ZERO, Moment(epoch, epoch, epochs, epochs))["reward"]
        for epoch in range(epochs)
    ]
    assert means[0] < 0.5
    assert means[-1] > 0.65
    assert all(chances[2] == max(chances) for chances in enas.policy().values())
    assert next(enas.derive(lambda: ZERO)).values == (2,) * 6


def test_the_policy_is_that_of_the_greedy_record() -> None:
    """Its largest entries are the record; a choice that is not met is uniform."""
    enas = ready(rich())
    enas.controller = controller(enas.net)
    greedy = enas.controller.greedy().decisions
    policy = enas.policy()
    for point, value in zip(enas.net.space.points, greedy.values, strict=True):
        chances = policy[point.index]
        assert sum(chances) == pytest.approx(1, abs=1e-5)
        if value is None:
            assert chances == [1 / len(chances)] * len(chances)
        else:
            assert max(chances) == chances[point.place(value)]


def test_only_records_within_the_constraints_compete() -> None:
    """Drawn until there are enough."""
    net = bandit(ROWS)
    costs = prices(net, [[1.0, 2.0, 3.0, 4.0, 5.0]] * 6)
    enas = ready(net, Task(GOAL, 0, costs, {"price": (0.0, 14.0)}), candidates=30)
    records = list(enas.derive(lambda: ZERO))
    assert len(records) > 20
    assert all(costs(record)["price"] <= 14 for record in records)


def test_a_reward_that_is_not_a_number_teaches_nothing() -> None:
    """The controller is as before."""
    enas = ready(bandit(ROWS))
    before = enas.policy()

    def reward(batch: Any) -> float:
        return math.nan

    enas.reward = reward  # type: ignore[method-assign]
    enas.end_epoch(lambda: ZERO, Moment(0, 0, 1, 1))
    assert enas.policy() == before


@pytest.mark.parametrize("baseline", ["running", "epoch"])
def test_it_goes_on_bit_for_bit(baseline: Any, tmp_path: Path) -> None:
    """Controller, its optimiser, the baseline, and the paths."""
    assert_resumes(lambda: ENAS(baseline=baseline, updates=2, samples=2), tmp_path)


def test_in_the_loop(tmp_path: Path) -> None:
    """The record of an epoch's end has its reward."""
    enas = search(ENAS(updates=2, samples=3), bandit(ROWS), 5)
    assert len(list(enas.derive(lambda: ZERO))) > 50


@pytest.mark.parametrize("wrong", [{"baseline": "mean"}, {"samples": 0}, {"preset": "enas"}])
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """Each is said."""
    with pytest.raises(UserError):
        ENAS(**wrong)
