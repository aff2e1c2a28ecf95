"""FBNetV2, and what it shares with TAS: warm-up, masks, costs within bounds, resuming."""

from __future__ import annotations

import json
import math
import random
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms import catalogue
from automl_algorithms.contract import check_capabilities
from automl_algorithms.weight_sharing._sizes import SizeSearch
from automl_algorithms.weight_sharing.fbnetv2 import FBNetV2
from automl_algorithms.weight_sharing.gates import Choose, Gate, Mix
from automl_algorithms.weight_sharing.masks import prefix_masks
from automl_algorithms.weight_sharing.search import Diverged, Moment, Task
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective

from .bandit import arm, bandit, prices, search
from .sizes import narrow, real, sized
from .stepwise import conv, identity

GOAL = Objective("accuracy")
ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1], [0.3, 0.8, 0.4, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4, 0.9]]
ZERO = torch.zeros(())
BOTH = ["fbnetv2", "tas"]
LAST = Moment(9, 99, 10, 100)


def ready(name: str, net: Any = None, task: Task | None = None, **options: Any) -> SizeSearch:
    """A search that is set up."""
    found: SizeSearch = catalogue.create(name, options)
    found.setup(net or sized(ROWS), task or Task(GOAL))
    return found


def weights_of(gate: Gate) -> Tensor:
    """Those of the mixture that a gate is set to."""
    use = gate.use()
    assert isinstance(use, Mix)
    return use.weights


def priced(net: Any, low: float, high: float, seed: int = 0) -> Task:
    """A width costs its number of channels; the sum shall be within bounds."""
    table = [list(range(1, 6))] * len(net.space.points)
    return Task(GOAL, seed, prices(net, table), {"price": (low, high)})


def test_masks_are_prefixes_and_their_mixture_never_rises() -> None:
    """Channel j has the weight of all widths above j: the first 8 of 8, 16, ..., 64 exactly 1."""
    masks = prefix_masks(range(8, 65, 8), 64)
    assert masks.sum(1).tolist() == list(range(8, 65, 8))
    search = ready("fbnetv2", sized([[0.1] * 8]))
    (gate,) = search.sizes
    search._relax(2.0)
    mixed = weights_of(gate).detach() @ masks.float()
    assert mixed[:8] == pytest.approx(torch.ones(8))
    assert (mixed.diff() <= 1e-6).all()
    assert mixed[16:24] == pytest.approx(weights_of(gate).detach()[2:].sum().expand(8))


def test_samples_are_soft_and_differ() -> None:
    """Each is a distribution with a gradient; the weights' pass has none."""
    search = ready("fbnetv2")
    search._relax(5.0)
    first = [weights_of(g) for g in search.sizes]
    search._relax(5.0)
    second = [weights_of(g) for g in search.sizes]
    for one, other in zip(first, second, strict=True):
        assert one.requires_grad
        assert one.sum().item() == pytest.approx(1)
        assert (one > 0).all()
        assert not torch.equal(one, other)
    search.train_weights = lambda batch: float(weights_of(search.sizes[0]).requires_grad)  # type: ignore[method-assign]
    assert search.step(ZERO, lambda: ZERO, LAST)["loss"] == 0.0


@pytest.mark.parametrize("name", BOTH)
def test_the_temperature_falls_in_epochs(name: str) -> None:
    """From 10 in the first to 0.1 in the last."""
    search = ready(name, warmup=0.0)
    taus = [
        search.step(ZERO, lambda: ZERO, Moment(epoch, epoch, 10, 10))["tau"] for epoch in range(10)
    ]
    assert taus[0] == 10
    assert taus[-1] == pytest.approx(0.1)
    assert taus[4] == pytest.approx(10 - 9.9 * 4 / 9)


@pytest.mark.parametrize("name", BOTH)
def test_the_policy_rests_in_the_warm_up(name: str) -> None:
    """All sizes are full in the first step; at the end of it none is forced to be."""
    search = ready(name)
    before = [each.clone() for each in search.logits.parameters()]
    search.step(ZERO, lambda: ZERO, Moment(0, 0, 10, 1000))
    assert all(gate.use() == Choose(4) for gate in search.sizes)
    full = 0
    for step in range(200, 300):
        search.step(ZERO, lambda: ZERO, Moment(step // 100, step, 10, 1000))
        full += sum(gate.use() == Choose(4) for gate in search.sizes)
    chance = 1 / 3 / 2  # of being forced, which falls from a third to nothing
    expected = 300 * (chance + (1 - chance) / 5)
    assert full == pytest.approx(expected, abs=4 * math.sqrt(expected))
    assert all(map(torch.equal, before, search.logits.parameters()))
    search._warm_up(0.0)
    drawn = {gate.use() for gate in search.sizes for _ in (0,)}
    assert drawn <= set(map(Choose, range(5)))
    search.step(ZERO, lambda: ZERO, Moment(3, 300, 10, 1000))
    assert not any(map(torch.equal, before, search.logits.parameters()))


@pytest.mark.parametrize("name", BOTH)
def test_decisions_between_modules_are_a_mixture(name: str) -> None:
    """Also in a space with sizes; in the warm-up all have equal weights, or one is drawn."""
    arms = oneof([arm(0.0), arm(0.3), arm(0.1)])
    net = sized([[0.1, 0.9]], "mean" if name == "tas" else "sum", arms)
    search = ready(name, net)
    (size,), (operation,) = search.sizes, search.operations
    assert (size.size, operation.size) == (2, 3)
    search._warm_up(1.0)
    assert weights_of(operation).tolist() == pytest.approx([1 / 3] * 3)
    search._warm_up(0.0)
    assert isinstance(operation.use(), Choose)
    search._relax(1.0)
    assert weights_of(operation).requires_grad
    found = found_by(name, net, steps=40)
    assert list(found.values()) == [1, 1]


def found_by(name: str, net: Any, task: Task | None = None, steps: int = 60) -> dict[int, int]:
    """The place of each point in the record that a search ends with, after 10 epochs of steps."""
    done = search(catalogue.create(name), net, steps, task)
    best = next(iter(done.derive(lambda: None)))
    return {p.index: p.place(v) for p, v in zip(net.space.points, best.values, strict=True)}


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_widths(seed: int) -> None:
    """Neither the narrowest nor the widest: where each row is best, with certainty."""
    net = sized(ROWS)
    done = search(FBNetV2(), net, 60, Task(GOAL, seed))
    for row, chances in zip(ROWS, done.policy().values(), strict=True):
        best = row.index(max(row))
        assert chances[best] == max(chances) > 0.6


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("bounds", [(0, 7), (9, 10), (13, math.inf)])
def test_costs_are_held_within_bounds(name: str, bounds: tuple[float, float]) -> None:
    """Three rows cost 3 to 15: wider is better where it shall be cheap, and else narrower."""
    worths = [0.1, 0.2, 0.3, 0.4, 0.5] if bounds[0] < 11 else [0.5, 0.4, 0.3, 0.2, 0.1]
    net = sized([worths] * 3, "mean" if name == "tas" else "sum")
    task = priced(net, *bounds)
    done = search(catalogue.create(name), net, 40, task)
    first, *others = islice(done.derive(lambda: None), 20)
    near = bounds[1] if bounds[0] < 11 else bounds[0]
    assert abs(task.costs(first)["price"] - near) <= 2
    assert any(task.accepts(record) for record in (first, *others))


@pytest.mark.parametrize("name", BOTH)
def test_the_cost_term_pushes_to_where_the_cost_shall_be(name: str) -> None:
    """Down above a target, up below it, and not at all within its tolerance."""
    net = sized([[0.0] * 5] * 6)
    task = priced(net, -math.inf, math.inf)
    spread = torch.arange(5.0)

    def gain(target: float) -> float | None:
        search = ready(name, net, task, cost="price", target=target)
        with torch.no_grad():
            for logits in search.logits.parameters():
                logits.zero_()
                logits[2] = 0.01
        found = [search._cost_gradients() for _ in range(50)]
        if None in found:
            assert found == [None] * 50
            return None
        return sum(float(-g @ spread) for grads in found for g in grads or [] if g is not None)

    assert gain(18) is None  # 6 x 3
    assert gain(18.5) is None
    down, up = gain(10), gain(25)
    assert down is not None
    assert up is not None
    assert down < 0 < up


def test_the_gradient_of_the_expected_cost_is_right() -> None:
    """d log E of a sum over decisions, known in closed form."""
    net = sized([[0.0] * 5] * 2)
    search = ready("fbnetv2", net, priced(net, 0, 1), cost_weight=1.0)
    with torch.no_grad():
        for i, logits in enumerate(search.logits.parameters()):
            logits.copy_(torch.linspace(0, i, 5))
    logits = search.logits.parameters()
    expected = sum(each.softmax(0) @ torch.arange(1.0, 6) for each in logits)
    assert isinstance(expected, Tensor)
    wanted = torch.cat(torch.autograd.grad(expected.log(), logits))
    found = [search._cost_gradients() for _ in range(2000)]
    mean = torch.stack([torch.cat(list(g)) for g in found if g is not None]).mean(0)  # type: ignore[arg-type]
    assert mean == pytest.approx(wanted, abs=0.018)


def test_bounds_come_from_the_constraints() -> None:
    """Or from a target, with 5 % to either side; without either they are asked for."""
    net = sized(ROWS)
    assert ready("fbnetv2", net, priced(net, 5, 9)).bands == {"price": (5, 9)}
    assert ready("fbnetv2", net, priced(net, 5, 9), cost="price").bands == {"price": (5, 9)}
    around = ready("fbnetv2", net, priced(net, 5, 9), cost="price", target=20.0).bands
    assert around["price"] == pytest.approx((19, 21))
    assert ready("fbnetv2", net).bands == {}
    with pytest.raises(UserError, match="what is the target of price"):
        ready("fbnetv2", net, cost="price")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "wrong",
    [
        {"tau": [10.0]},
        {"tau": [10.0, 0.0]},
        {"warmup": 1.0},
        {"target": 3.0},
        {"cost": "price", "target": 0.0},
        {"preset": "nat"},
        {"mask_scope": "cell"},
    ],
)
def test_options_out_of_their_range(name: str, wrong: dict[str, Any]) -> None:
    """Are mistakes of the user."""
    with pytest.raises(UserError):
        catalogue.load(name)(**wrong)


@pytest.mark.parametrize("name", BOTH)
def test_a_space_without_sizes(name: str) -> None:
    """Names a decision, and what would search it."""
    with pytest.raises(UserError) as caught:
        ready(name, bandit([[0.1, 0.2]]))
    (problem,) = caught.value.problems
    assert f"{name} searches sizes" in problem.message
    assert problem.path == bandit([[0.1, 0.2]]).space.points[0].id
    assert "darts" in problem.hint
    assert "tunas" in problem.hint
    unfit = {"tas", "fbnetv2", "hypergradient", "implicit_gradients"}  # sizes, no architectures
    assert not unfit & set(problem.hint.replace(",", "").split())


@pytest.mark.parametrize("name", BOTH)
def test_only_networks_of_cells_can_mask_their_outputs_alone(name: str) -> None:
    """Elsewhere the published setting says what to change."""
    with pytest.raises(UserError, match="cell_output is for networks of cells"):
        ready(name, preset="nats")
    search = ready(name, preset="nats", mask_scope="everywhere")
    assert (search.lr, search.weight_decay) == (3e-4, 1e-3)
    net = sized(ROWS)
    net.model.mask_scope = "everywhere"  # type: ignore[assignment]
    ready(name, net, preset="nats")
    assert net.model.mask_scope == "cell_output"


@pytest.mark.parametrize("name", BOTH)
def test_a_step_on_a_real_network(name: str) -> None:
    """Weights and policy both move; the policy's batch leaves the weights and their gradients."""
    net = real(narrow(oneof([2, 4, 8])), oneof([conv(3, 3, 1), identity()]))
    search = ready(name, net, Task(Objective("loss", "minimize")))
    batch = net.program.batch
    before = [w.clone() for w in net.model.parameters()]
    policy = [each.clone() for each in search.logits.parameters()]
    net.model.zero_grad()
    search.learn(partial(search._relax, 1.0), batch)
    assert all(map(torch.equal, before, net.model.parameters()))
    assert all(w.grad is None for w in net.model.parameters())
    assert not any(map(torch.equal, policy, search.logits.parameters()))
    for step in range(8):
        search.step(batch, lambda: batch, Moment(step, step, 8, 8))
    assert not any(map(torch.equal, before, net.model.parameters()))
    assert all(each.isfinite().all() for each in search.logits.parameters())


@pytest.mark.parametrize("name", BOTH)
def test_it_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    """Policy, its optimiser and both random generators are in the state, costs or no costs."""
    net = sized(ROWS)

    def fresh() -> SizeSearch:
        return ready(name, net, priced(net, 0, 10))

    def steps(search: SizeSearch, begin: int, end: int) -> list[float]:
        for step in range(begin, end):
            search.step(ZERO, lambda: ZERO, Moment(step // 4, step, 10, 40))
        return [p for chances in search.policy().values() for p in chances]

    expected = steps(fresh(), 0, 40)
    for stop in (5, 25):
        first = fresh()
        steps(first, 0, stop)
        torch.save(first.state_dict(), tmp_path / "state.pt")
        again = fresh()
        again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert steps(again, stop, 40) == expected


@pytest.mark.parametrize("name", BOTH)
def test_a_loss_that_is_not_a_number_teaches_nothing(name: str) -> None:
    """The policy stays."""
    net = real(narrow(oneof([2, 4, 8])))
    search = ready(name, net, Task(Objective("loss", "minimize")))
    before = [each.clone() for each in search.logits.parameters()]
    images, target = net.program.batch
    with pytest.raises(Diverged):
        search.step((images, target), lambda: (images * torch.nan, target), LAST)
    assert all(map(torch.equal, before, search.logits.parameters()))


@pytest.mark.parametrize("name", BOTH)
def test_a_network_is_what_the_policy_says(name: str) -> None:
    """The record of a decided policy has its widths, and so has the network."""
    net = real(narrow(oneof([2, 4, 8])), narrow(oneof([3, 5, 7])))
    search = ready(name, net, Task(Objective("loss", "minimize")))
    rng = random.Random(1)
    for _ in range(5):
        wanted = net.space.sample(rng)
        with torch.no_grad():
            for index, logits in search.logits.of.items():
                logits.zero_()
                logits[net.gates[index].point.place(wanted.values[index] or 0)] = 3.0
        best = next(iter(search.derive(lambda: None)))
        assert best == wanted
        widths = [
            m.num_features
            for m in net.derive(best).model.modules()
            if isinstance(m, nn.BatchNorm2d)
        ]
        assert widths == list(json.loads(best.to_json()).values())


def test_they_can_search_sizes_under_choices() -> None:
    """Conditional sizes are mixed with what they are in."""
    inner = oneof([narrow(oneof([2, 4, 8])), conv(3, 3, 1)])
    net = real(inner, narrow(oneof([2, 4])))
    batch = net.program.batch
    for name in BOTH:
        found = catalogue.load(name)
        check_capabilities(name, found.capabilities, net.space, [Objective("loss", "minimize")])
        search = ready(name, net, Task(Objective("loss", "minimize")))
        for step in range(10):
            search.step(batch, lambda: batch, Moment(step, step, 10, 10))
        best = next(iter(search.derive(lambda: None)))
        assert math.isfinite(search.score(best))
