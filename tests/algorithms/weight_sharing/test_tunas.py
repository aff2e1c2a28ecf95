"""TuNAS: its rewards, its warm-ups, its policy gradient, and that it finds what it should."""

from __future__ import annotations

import math
import random
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing._baseline import Baseline
from automl_algorithms.weight_sharing.gates import Choose, Mix
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space

from .bandit import arm, bandit, casino, prices, search, sequence
from .stepwise import Fit, lowered, sequential

GOAL = Objective("accuracy")
ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6


def ready(net: Any = None, task: Task | None = None, **options: Any) -> TuNAS:
    """A search that is set up."""
    found = TuNAS(**options)
    found.setup(net or bandit(ROWS), task or Task(GOAL))
    return found


def priced(low: float, high: float, **options: Any) -> TuNAS:
    """One whose records have a price within bounds."""
    net = bandit(ROWS)
    costs = prices(net, [[1.0] * 5] * 6)
    return ready(net, Task(GOAL, 0, costs, {"price": (low, high)}), **options)


def test_hard_rewards_are_flat_below_the_target() -> None:
    """And fall above it: mnas_hard as a power, hinge in a line."""
    hard = priced(0, 100, shape="mnas_hard", beta=-0.07, cost="price", target=100.0)
    assert hard.rewards.of(0.8, {"price": 50}) == 0.8
    assert hard.rewards.of(0.8, {"price": 200}) == pytest.approx(0.8 * 2**-0.07)
    hinge = priced(float("-inf"), 100, beta=-0.2)
    assert hinge.rewards.targets == {"price": (100, "hinge")}
    assert hinge.rewards.of(0.8, {"price": 50}) == 0.8
    assert hinge.rewards.of(0.8, {"price": 150}) == pytest.approx(0.7)
    mnas = priced(90, 110, shape="mnas", beta=-0.07)
    assert mnas.rewards.of(0.8, {"price": 50}) == pytest.approx(0.8 * 0.5**-0.07)


def test_a_cost_that_is_not_finite_is_not_averaged() -> None:
    """What a step tells are finite numbers, and the policy stays one."""
    net = bandit(ROWS)
    task = Task(GOAL, 0, lambda _: {"price": float("inf")}, {"price": (0.0, 1.0)})
    tunas = ready(net, task, delay=0.0, warmup=0.0)
    seen = tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, 0, 1, 10))
    assert seen.keys() == {"loss", "quality", "reward"}
    assert all(map(math.isfinite, seen.values()))
    assert all(map(math.isfinite, tunas.policy()[0]))


def test_targets_come_from_the_constraints() -> None:
    """The middle of a band, or what the option says; without either it is asked for."""
    assert priced(90, 110).rewards.targets == {"price": (100, "absolute")}
    assert priced(90, 110, cost="price", target=95).rewards.targets == {"price": (95, "absolute")}
    assert ready().rewards.targets == {}
    with pytest.raises(UserError, match="what is the target of price"):
        ready(cost="price")
    with pytest.raises(UserError, match="a target needs a cost"):
        ready(target=3.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta": 0.1},
        {"delay": 0.1, "warmup": 0.2},
        {"delay": 1.0},
        {"survey": 1.0},
        {"samples": 0},
        {"every": 0},
        {"batches": 0},
        {"priced": 1},
        {"preset": "papers"},
    ],
)
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """The warm-up lies within the delay, and a cost is no merit."""
    with pytest.raises(UserError):
        TuNAS(**wrong)


def test_the_running_mean_has_no_bias_towards_zero() -> None:
    """Of equal values it is that value, from the first on."""
    baseline = Baseline(0.95)
    assert [baseline.take(0.7) for _ in range(3)] == pytest.approx([0.7] * 3)
    again = Baseline(0.95)
    again.load_state_dict(baseline.state_dict())
    assert again.take(0.1) == pytest.approx(baseline.take(0.1))


def test_the_warm_up_forces_all_operations_at_first_and_none_at_its_end() -> None:
    """With a probability that falls linearly."""
    tunas = ready(delay=0.5, warmup=0.5)
    gates = list(tunas.net.gates.values())

    def forced(step: int) -> int:
        decisions = tunas.logits.sample(tunas.rng)
        tunas.net.choose(decisions)
        tunas._force(decisions, Moment(0, step, 1, 1000))
        return sum(isinstance(gate.use(), Mix) for gate in gates)

    assert forced(0) == len(gates)
    mixed = [forced(250) for _ in range(200)]
    assert 0.4 < sum(mixed) / (200 * len(gates)) < 0.6
    assert [forced(step) for step in (500, 999)] == [0, 0]


def test_the_warm_up_takes_the_largest_of_sizes() -> None:
    """A gate that chooses no module is a size."""
    tunas = ready()
    tunas.operations = set()
    for gate in tunas.net.gates.values():
        gate.values = (16, 64, 8, 32, 24)
    decisions = tunas.logits.sample(random.Random(0))
    tunas.net.choose(decisions)
    tunas._force(decisions, Moment(0, 0, 1, 10))
    assert all(gate.use() == Choose(1) for gate in tunas.net.gates.values())


def test_inner_decisions_are_made_where_all_candidates_are_computed() -> None:
    """A nested choice may be met although its record has it inactive."""
    inner = sequential(oneof([arm(0.1), arm(0.2)]))
    net = lowered_casino(sequence(oneof([inner, arm(0.3)])))
    tunas = ready(net)
    for step in range(20):
        tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, step, 1, 200))


def lowered_casino(model: Any) -> Any:
    """The supernet of a casino with this model."""
    from automl_algorithms.weight_sharing.supernet import lower

    return lower(Space(casino(model=model)))


def test_only_active_decisions_count_in_the_probability() -> None:
    """A record without the inner decision has the probability of the outer one."""
    inner = sequential(oneof([arm(0.1), arm(0.2)]))
    net = lowered_casino(sequence(oneof([inner, arm(0.3)])))
    tunas = ready(net)
    chances = sorted(tunas.logits.log_prob(each).exp().item() for each in net.space.enumerate())
    assert chances == pytest.approx([0.25, 0.25, 0.5])


def test_the_policy_rests_during_the_delay() -> None:
    """Then its learning rate grows from lr to lr x growth."""
    tunas = ready(lr=0.01, growth=10.0, delay=0.25, warmup=0.25)

    def rate(step: int) -> float:
        tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, step, 1, 100))
        return float(tunas.optimizer.param_groups[0]["lr"])

    for step in range(25):
        tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, step, 1, 100))
    assert all(not logits.any() for logits in tunas.logits.parameters())
    assert rate(25) == pytest.approx(0.01)
    assert rate(100) == pytest.approx(0.1)
    assert tunas.optimizer.param_groups[0]["betas"] == (0.0, 0.999)


def begun() -> Any:
    """The bandit of a program that has the first arms."""
    choices = [oneof([arm(w) for w in row], default=arm(row[0])) for row in ROWS]
    return lowered_casino(sequence(*choices))


def test_the_policy_rests_while_paths_are_surveyed() -> None:
    """It goes its way at the end."""
    tunas, batch = ready(begun(), warmup=0.2, delay=0.2, survey=0.6), torch.zeros(())
    judged = []
    for step in range(60):
        seen = tunas.step(batch, lambda: batch, Moment(0, step, 1, 100))
        judged += [step] * ("reward" in seen)
    assert judged == list(range(20, 60, 4))
    assert all(not logits.any() for logits in tunas.logits.parameters())
    tunas.step(batch, lambda: batch, Moment(0, 60, 1, 100))
    assert all(logits.any() for logits in tunas.logits.parameters())


def test_nothing_is_surveyed_for_a_search_that_ends_with_its_policy() -> None:
    """Nor where the static program misses the target of a cost: the delay is over before."""
    dear = Task(GOAL, 0, prices(begun(), [[1.0] * 5] * 6), {"price": (1, 2)})
    for tunas in (ready(begun(), unidentified="policy"), ready(begun(), dear)):
        tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, 40, 1, 100))
        assert all(logits.any() for logits in tunas.logits.parameters())


def test_paths_are_judged_on_several_batches() -> None:
    """Joined, if the program can do that."""
    for able in (False, True):
        tunas, told = ready(batches=3), []
        if able:
            tunas.net.program.join = torch.stack
        tunas.measured = lambda batches, told=told: told.append(batches) or {"accuracy": 0.5}  # type: ignore[method-assign]
        numbers = count()
        tunas.step(torch.zeros(()), lambda: torch.tensor(next(numbers)), Moment(0, 4, 1, 10))  # noqa: B023
        assert len(told) == 4
        assert all(len(batches) == (1 if able else 3) for batches in told)
        assert torch.cat([torch.as_tensor(b).reshape(-1) for b in told[0]]).tolist() == [0, 1, 2]
        assert next(numbers) == 3


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_arms(seed: int) -> None:
    """Six decisions of five candidates, by the paper's constants, in 3,000 steps."""
    found = search(TuNAS(preset="paper"), bandit(ROWS), 3000, Task(GOAL, seed))
    assert all(chances[2] > 0.9 for chances in found.policy().values())


@pytest.mark.parametrize("seed", range(3))
def test_it_holds_the_target(seed: int) -> None:
    """Dearer is better, and yet the final network costs what it shall, within 5 %."""
    rng = random.Random(seed)
    table = [[rng.uniform(1, 9) for _ in range(5)] for _ in range(6)]
    net = bandit([[price / 36 for price in row] for row in table])
    target = 0.8 * sum(map(max, table))
    task = Task(GOAL, seed, prices(net, table), {"price": (target - 1, target + 1)})
    found = search(TuNAS(), net, 2000, task)
    best = next(iter(found.derive(lambda: None)))
    assert task.costs(best)["price"] == pytest.approx(target, rel=0.05)


def test_paths_on_one_batch_are_compared_with_each_other() -> None:
    """What all have in common is no advantage: equal rewards teach nothing."""
    tunas = ready(bandit([[0.5 + 1e-9 * i for i in range(5)]] * 6), every=1, lr=0.1)
    batch = torch.zeros(())
    for step in range(50, 60):
        seen = tunas.step(batch, lambda: batch, Moment(0, step, 1, 100))
    assert seen["reward"] == pytest.approx(0.5)
    assert all(logits.abs().max() < 1e-3 for logits in tunas.logits.parameters())
    found = search(TuNAS(every=1, samples=3), bandit(ROWS), 1500)
    assert all(max(chances) == chances[2] for chances in found.policy().values())


def test_another_path_is_judged_by_the_option() -> None:
    """Upstream of NATS-Bench draws again between the two halves of a step."""
    chosen: list[Any] = []
    for resample in (False, True):
        tunas = ready(resample=resample, warmup=0.0, delay=0.0)
        choose = tunas.net.choose
        tunas.net.choose = lambda d, choose=choose: (chosen.append(d), choose(d))  # type: ignore[method-assign]
        tunas.step(torch.zeros(()), lambda: torch.zeros(()), Moment(0, 0, 1, 10))
    assert chosen[0] == chosen[1]
    assert chosen[2] != chosen[3]


def test_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Policy, its optimiser, the baseline and both random generators are in the state."""
    batch = torch.zeros(())

    def steps(tunas: TuNAS, begin: int, end: int) -> list[float]:
        for step in range(begin, end):
            tunas.step(batch, lambda: batch, Moment(0, step, 1, 40))
        return [p for chances in tunas.policy().values() for p in chances]

    expected = steps(ready(), 0, 40)
    first = ready()
    steps(first, 0, 25)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    again = ready()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert steps(again, 25, 40) == expected


def test_a_reward_that_is_not_a_number_teaches_nothing() -> None:
    """It counts as the mean of the others."""
    tunas = ready()
    tunas.rewards.baseline.take(0.5)
    assert tunas.rewards.of(float("nan"), {}) == 0.5


def test_the_paths_it_trains_are_the_records_it_draws() -> None:
    """On a real network: with the policy decided, one path gets all the gradients."""
    from .stepwise import conv, identity

    net = lowered(sequential(oneof([conv(3, 3, 1), identity()]), conv(3, 3, 1)))
    tunas = TuNAS(warmup=0.0)
    tunas.setup(net, Task(Objective("loss", "minimize")))
    with torch.no_grad():
        tunas.logits.of[0].copy_(torch.tensor([-50.0, 50.0]))
    before = net.model[0].candidates[0].weight.clone()
    batch = net.program.batch
    assert isinstance(net.program, Fit)
    seen = tunas.step(batch, lambda: batch, Moment(0, 8, 1, 10))
    assert torch.equal(net.model[0].candidates[0].weight, before)
    assert seen["quality"] == seen["reward"]
