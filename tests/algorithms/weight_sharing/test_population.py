"""Trainings beside each other: each is what it would be alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing._population import (
    JUDGED_ON,
    LATEST,
    Member,
    Population,
    tensors_of,
)
from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.search import Diverged, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .tuned import WIDTH, layer, linear, sgd

DECAYS = [0.0, 0.1, 1.0]
sequence, drop, norm = symbolize(nn.Sequential), symbolize(nn.Dropout), symbolize(nn.BatchNorm1d)


def begun(
    rates: Any = 0.3, decays: list[float] = DECAYS, *, anew: bool = False
) -> tuple[Population, Supernet]:
    """Members with these weight decays, after some steps; with momenta, dropout and buffers."""
    model = sequence(layer(WIDTH, WIDTH), norm(WIDTH), drop(0.5), layer(WIDTH, 1))
    net = lower(Space(linear(model, sgd(rates, 0.9, oneof(decays)))))
    search = AutoHAS()
    search.setup(net, Task(Objective("accuracy"), seed=1))
    initial = [tensor.clone() for tensor in tensors_of(net)]
    for batch in batches(net, 5):
        search.train_weights(batch)
    members = [
        Member.anew(record, initial) if anew else Member.forked(record, net)
        for record in net.space.enumerate()
    ]
    return Population(search, members, frozenset(net.live), 0, 1.0), net


def batches(net: Supernet, n: int) -> list[Any]:
    """Of training."""
    return list(net.program.train_batches())[:n]


def weights(net: Supernet) -> list[torch.Tensor]:
    """With buffers, as they are now."""
    return [tensor.clone() for tensor in net.model.state_dict().values()]


def decay(net: Supernet) -> float:
    """Of the real optimiser."""
    return float(net.program.optimizer.param_groups[0]["weight_decay"])


def at(step: int, steps: int) -> Moment:
    """In one epoch."""
    return Moment(0, step, 1, steps)


def alone(net: Supernet, member: Member, data: list[Any]) -> list[torch.Tensor]:
    """The weights after a plain training of a copy from where a member begins."""
    program = copy.deepcopy(net.program)
    tensors = (*program.model.parameters(), *program.model.buffers())
    for tensor, begin in zip(tensors, member.tensors, strict=True):
        tensor.data = begin.clone()
    decay = member.record["optimizer.weight_decay"]
    weights = list(program.model.parameters())
    made = torch.optim.SGD(weights, 0.3, momentum=0.9, weight_decay=decay)
    made.state.update({weights[n]: copy.deepcopy(s) for n, s in member.states.items()})
    torch.manual_seed(7)
    program.model.train()
    for batch in data:
        made.zero_grad()
        program.loss(batch).backward()
        made.step()
    return list(program.model.state_dict().values())


@pytest.mark.parametrize("anew", [False, True])
def test_every_member_trains_as_it_would_alone(anew: bool) -> None:
    """Bit for bit, the same dropout included; and none touches another."""
    population, net = begun(anew=anew)
    assert all(bool(member.states) != anew for member in population.members)
    data = batches(net, 4)
    expected = [alone(net, member, data) for member in population.members]
    torch.manual_seed(7)
    for batch in data:
        population._train(batch)
    for member, wanted in zip(population.members, expected, strict=True):
        population._enter(member)
        assert decay(net) == member.record["optimizer.weight_decay"]
        assert all(torch.equal(a, b) for a, b in zip(weights(net), wanted, strict=True))
    assert not torch.equal(expected[0][0], expected[2][0])


def test_the_better_half_goes_on_and_the_best_is_left_in_the_program() -> None:
    """A decay that forbids the weights to grow loses, on the same batches as the others."""
    population, net = begun(decays=[0.0, 1e-3, 3.0])
    given: list[Any] = []

    def valid() -> Any:
        given.append(next(net.program.valid_batches()))
        return given[-1]

    data = batches(net, 60)
    counts = [
        population.step(batch, valid, at(step, 60))["members"] for step, batch in enumerate(data)
    ]
    assert counts == [3.0] * 24 + [2.0] * 36
    assert len(given) == 2 * JUDGED_ON
    [best] = population.members
    assert best.record["optimizer.weight_decay"] < 3
    assert decay(net) == best.record["optimizer.weight_decay"]
    [chances] = population.policy().values()
    assert sorted(chances) == [0.0, 0.0, 1.0]
    assert chances[2] == 0
    assert set(population.found()) == {"evidence/0"}


def test_a_mean_is_about_the_latest_weights() -> None:
    """Of weights that are 1 in one step and 0 in the others, the mean is what that step counts."""
    n = 30
    member = Member(begun()[0].members[0].record, [torch.zeros(n), torch.ones(1)], {})
    for step in range(n):
        member.tensors = [torch.eye(n)[step], torch.full((1,), float(step))]
        member.average(1)
    [shares] = member.mean
    assert shares.sum() == pytest.approx(1)
    assert torch.equal(shares, shares.sort().values)
    assert shares[-1] == pytest.approx((LATEST + 1) / (LATEST + n))


def test_members_are_judged_by_their_means_and_go_on_from_their_weights() -> None:
    """The program has the means only while rewards are measured."""
    population, net = begun(decays=[0.0, 1e-3, 1.0])
    seen: list[list[torch.Tensor]] = []

    def reward(_: Any) -> float:
        seen.append([weight.detach().clone() for weight in net.model.parameters()])
        return -float(len(seen))

    population.search.reward = reward  # type: ignore[method-assign]
    data = batches(net, 20)
    for step, batch in enumerate(data):
        population.step(batch, lambda: None, at(step, 50))
        if seen:
            break
    assert step == len(data) - 1
    assert len(seen) == 3 * JUDGED_ON
    assert [member.steps for member in population.members] == [20, 20]
    for number, member in enumerate(population.members):
        judged = seen[number * JUDGED_ON]
        assert all(map(torch.equal, judged, member.mean))
        assert not any(map(torch.equal, judged, member.tensors))
    latest = population.members[0].tensors
    assert all(map(torch.equal, [*net.model.parameters(), *net.model.buffers()], latest))


def test_of_several_decisions_a_member_is_one_observation() -> None:
    """A single winner says little of each of its candidates: that is not taken for evidence."""
    population, net = begun(oneof([0.1, 0.3]), [0.0, 3.0])
    for step, batch in enumerate(batches(net, 40)):
        population.step(batch, lambda: next(net.program.valid_batches()), at(step, 40))
    assert len(population.members) == 1
    counts = [sums[0] for places in population.evidence._sums.values() for sums in places.values()]
    assert counts == [2.0] * 4
    assert set(population.found().values()) == {0.0}


def test_a_ruined_member_is_out() -> None:
    """The others go on; when none is left the search has diverged."""
    population, net = begun(decays=[0.0, 1e30])
    seen = [population.step(batch, lambda: None, at(0, 99))["members"] for batch in batches(net, 9)]
    assert seen[0] == 2
    assert seen[-1] == 1
    assert population.members[1].reward == float("-inf")
    assert all(tensor.isfinite().all() for tensor in weights(net))
    population, net = begun(decays=[0.0, 1e30])
    del population.members[0]
    with pytest.raises(Diverged, match="every member"):
        for batch in batches(net, 9):
            population.step(batch, lambda: None, at(0, 99))
