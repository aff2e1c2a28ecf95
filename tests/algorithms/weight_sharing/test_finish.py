"""The finish of AutoHAS: what it is about, what it costs, and that it finds what pays off late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing._finish import Finish
from automl_algorithms.weight_sharing._population import Population, tensors_of
from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .tuned import WIDTH, layer, linear, sgd

STEPS = 100
GOAL = Objective("loss", "minimize")
sequence, drop = symbolize(nn.Sequential), symbolize(nn.Dropout)


def searched(optimizer: Any, options: dict[str, Any], **more: Any) -> Loop:
    """Not yet run."""
    model = sequence(layer(WIDTH, WIDTH), drop(0.1), layer(WIDTH, 1))
    net = lower(Space(linear(model, optimizer, **more)))
    net.program.steps = STEPS
    search = AutoHAS(**({"delay": 0.1, "warmup": 0.0, "every": 1} | options))
    return Loop(net, search, Task(GOAL, seed=2), records=STEPS)


def decays(*values: float) -> Any:
    """SGD with a choice of them."""
    return sgd(0.5, 0.9, oneof(list(values)))


def fork(net: Supernet, evidence: dict[int, float], members: int = 8) -> Population | None:
    """Of a search whose policy prefers the first candidate of every decision."""
    search = AutoHAS(finish=1, members=members)
    search.setup(net, Task(GOAL))
    with torch.no_grad():
        for logits in search.logits.of.values():
            logits[0] = 50.0
    best = search._record(frozenset())
    search.finish.compete(best, lambda index, place: evidence.get(index, 0.0), 50)
    return search.finish.population


def test_it_finds_a_weight_decay_that_a_step_does_not_show() -> None:
    """The largest ruins what was learned, within many steps; its cost is what it may cost."""
    loop = searched(decays(0.03, 0.0), {"finish": 1.0})
    counts = [record.metrics.get("members", 0.0) for record in loop]
    assert counts == [0.0] * 50 + [2.0] * 50
    best = next(loop.search.derive(loop.feed.valid))
    assert best["optimizer.weight_decay"] == 0.0
    assert loop.search.policy()[0] == [0.0, 1.0]
    assert loop.search.found()["evidence/0"] > 2.5


def test_it_is_about_live_decisions_that_are_not_identified() -> None:
    """The others, those of the network and learning rates are as the search has them."""
    model = sequence(oneof([layer(WIDTH, WIDTH), nn.Tanh()]), layer(WIDTH, 1))
    net = lower(Space(linear(model, sgd(oneof([0.1, 0.2]), 0.9, oneof([0.0, 0.1, 0.2])))))
    rate, decay = (net.space.point(f"optimizer.{name}").index for name in ("lr", "weight_decay"))
    population = fork(net, {rate: 9.0})
    assert population is not None
    assert population.open == {decay}
    records = [member.record.as_dict() for member in population.members]
    assert [each["optimizer.weight_decay"] for each in records] == [0.0, 0.1, 0.2]
    assert {each["optimizer.lr"] for each in records} == {0.1}
    assert len({each["model.args[0]"] for each in records}) == 1
    assert fork(net, {rate: 9.0, decay: 9.0}) is None
    assert fork(net, {decay: 9.0}) is None  # the rate is open, but is not compared


def test_networks_that_the_policy_leaves_open_compete() -> None:
    """As one thing beside the decay: two or three members change it, and as many the decay."""
    kinds = [layer(WIDTH, WIDTH), nn.Tanh(), nn.ReLU()]
    model = sequence(oneof(kinds), oneof(kinds), layer(WIDTH, 1))
    net = lower(Space(linear(model, sgd(0.1, 0.9, oneof([i / 10 for i in range(8)])))))
    search = AutoHAS(finish=1, members=6)
    search.setup(net, Task(GOAL))
    sure, open_, decay = (
        net.space.point(id).index
        for id in ("model.args[0]", "model.args[1]", "optimizer.weight_decay")
    )
    with torch.no_grad():
        search.logits.of[sure][1] = 50.0
    best = search._record(frozenset())
    search.finish.compete(best, lambda index, place: 0.0, 50)
    population = search.finish.population
    assert population is not None
    first, *others = [member.record.values for member in population.members]
    assert first == best.values
    assert len(others) == 5
    assert {values[sure] for values in others} == {1}
    same = [values[open_] for values in others if values[decay] == first[decay]]
    assert len(same) == 2  # there are no more than two other networks
    assert first[open_] not in same
    assert population.open == {open_, decay}


def test_networks_compete_alone() -> None:
    """A finish is about them where there are no hyperparameters, or these are identified."""
    kinds = [layer(WIDTH, WIDTH), nn.Tanh(), nn.ReLU()]
    model = sequence(oneof(kinds), oneof(kinds), layer(WIDTH, 1))
    net = lower(Space(linear(model, sgd(0.1, 0.9))))
    search = AutoHAS(finish=1)
    search.setup(net, Task(GOAL))
    assert 0 < search.finish.begin(100) < 100
    search.finish.compete(search._record(frozenset()), lambda index, place: 0.0, 50)
    assert search.finish.population is not None
    assert len(search.finish.population.members) >= 6  # of nine


def test_a_member_keeps_the_constraints() -> None:
    """Of networks that are drawn, one that they accept is taken."""
    model = sequence(oneof([layer(WIDTH, WIDTH), nn.Tanh()]), layer(WIDTH, 1))
    net = lower(Space(linear(model, sgd(0.1, 0.9, oneof([i / 10 for i in range(8)])))))
    network = net.space.point("model.args[0]").index
    task = Task(GOAL, 0, lambda d: {"size": float(d.values[network] or 0)}, {"size": (1.0, 1.0)})
    search = AutoHAS(finish=1)
    search.setup(net, task)
    search.finish.compete(search._record(frozenset()), lambda index, place: 0.0, 50)
    assert search.finish.population is not None
    _, *drawn = search.finish.population.members
    assert {member.record.values[network] for member in drawn} == {1}


def test_of_many_combinations_members_are_a_sample() -> None:
    """As many as asked for; the best is the first, and others differ from it in one thing."""
    values = {"optimizer.momentum": [0.0, 0.5, 0.9], "optimizer.weight_decay": [0.0, 0.1, 0.2, 0.3]}
    net = lower(Space(linear(layer(WIDTH, 1), sgd(0.1, *map(oneof, values.values())))))
    population = fork(net, {}, members=6)
    assert population is not None
    records = [member.record.as_dict() for member in population.members]
    assert len(records) == 6
    best = {"optimizer.momentum": 0.0, "optimizer.weight_decay": 0.0}
    changes = [sum(each[id] != best[id] for id in best) for each in records]
    assert changes == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("trainings", "compared"), [(2.0, False), (3.0, True)])
def test_a_learning_rate_is_compared_by_members_that_begin_early(
    trainings: float, compared: bool
) -> None:
    """Later, the smallest would keep what has been learned, and win."""
    net = lower(Space(linear(layer(WIDTH, 1), sgd(oneof([0.1, 0.2]), 0.9, oneof([0.0, 0.1, 0.2])))))
    search = AutoHAS(finish=trainings)
    search.setup(net, Task(GOAL))
    ids = {net.space.points[index].id for index in search.finish.about}
    assert ids == {"optimizer.weight_decay"} | ({"optimizer.lr"} if compared else set())


@pytest.mark.parametrize(
    ("trainings", "networks", "anew"), [(2.0, False, False), (3.0, False, True), (3.0, True, False)]
)
def test_members_with_the_time_for_it_begin_anew(
    trainings: float, networks: bool, anew: bool
) -> None:
    """If they differ in hyperparameters alone; the others with the weights that the search has."""
    first = oneof([layer(WIDTH, WIDTH), nn.Tanh()]) if networks else layer(WIDTH, WIDTH)
    optimizer = decays(*(i / 10 for i in range(8)))
    net = lower(Space(linear(sequence(layer(WIDTH, WIDTH), first, layer(WIDTH, 1)), optimizer)))
    search = AutoHAS(finish=trainings)
    search.setup(net, Task(GOAL))
    initial = tensors_of(net)[0].clone()
    net.choose(search._record(frozenset()))
    search.train_weights(next(net.program.train_batches()))
    shared = tensors_of(net)[0].clone()
    assert not torch.equal(initial, shared)
    search.finish.compete(search._record(frozenset()), lambda index, place: 0.0, 50)
    assert search.finish.population is not None
    for member in search.finish.population.members:
        assert torch.equal(member.tensors[0], initial if anew else shared)
        assert bool(member.states) != anew


def test_decisions_below_another_candidate_count_with_it() -> None:
    """Momentum is decided where there is an optimiser that has one."""
    kinds = oneof({"plain": sgd(0.1), "heavy": sgd(0.1, oneof([0.5, 0.9]))})
    net = lower(Space(linear(layer(WIDTH, 1), kinds)))
    population = fork(net, {})
    assert population is not None
    assert [member.record.values[1] is None for member in population.members] == [
        True,
        False,
        False,
    ]
    sure = fork(net, {0: 9.0})
    assert sure is None


def test_without_a_finish_nothing_changes() -> None:
    """Nor with one that has nothing to do."""
    plain = [r.metrics | {"policy": r.policy} for r in searched(decays(0.0), {})]
    assert [r.metrics | {"policy": r.policy} for r in searched(decays(0.0), {"finish": 2})] == plain
    assert not any("members" in metrics for metrics in plain)


@pytest.mark.parametrize("trainings", [1.0, 3.0])
def test_it_goes_on_bit_for_bit(trainings: float, tmp_path: Path) -> None:
    """Before it begins, within each rung, at its end; with dropout and momenta."""

    def ready() -> Loop:
        smoothing = oneof([0.0, 0.1])
        options = {"finish": trainings, "members": 6}
        return searched(decays(0.0, 0.01, 0.1), options, smoothing=smoothing)

    whole = ready()
    expected = [(r.metrics, r.policy) for r in whole]
    members = [metrics.get("members") for metrics, _ in expected]
    assert {None, 6.0, 3.0, 2.0} == set(members)
    first, second, third = map(members.index, (6.0, 3.0, 2.0))
    for stop in (5, first, second - 1, second + 2, third + 3):
        left = ready()
        next(r for i, r in enumerate(left) if i == stop)
        torch.save(left.state_dict(), tmp_path / "state.pt")
        torch.rand(3)
        again = ready()
        again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert [(r.metrics, r.policy) for r in again] == expected[stop + 1 :]
        after, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
        assert all(torch.equal(after[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(("trainings", "members"), [(-1.0, 8), (1.0, 1)])
def test_options_out_of_their_range(trainings: float, members: int) -> None:
    """Each is told."""
    with pytest.raises(UserError):
        Finish(trainings, members)
