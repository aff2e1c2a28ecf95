"""AutoHAS: temporary steps as rewards, hyperparameters found, and TuNAS where there are none."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Moment, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import floatv, oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .tuned import WIDTH, layer, linear, sgd

GOAL, LOSS = Objective("accuracy"), Objective("loss", "minimize")
sequence, zero = symbolize(nn.Sequential), symbolize(nn.Identity)


def network() -> Any:
    """A layer behind two that compete: one of them loses seven eighths of the inputs."""
    lossy = sequence(layer(WIDTH, 1, bias=False), layer(1, WIDTH))
    return sequence(oneof({"all": zero(), "lossy": lossy}, default=zero()), layer(WIDTH, 1))


def net(model: Any = None, optimizer: Any = None, **more: Any) -> Supernet:
    """A supernet with these."""
    chosen = layer(WIDTH, 1) if model is None else model
    return lower(Space(linear(chosen, optimizer or sgd(0.1), **more)))


def run(search: SupernetSearch, of: Supernet, steps: int = 500, **task: Any) -> Loop:
    """To the end."""
    of.program.steps = steps
    loop = Loop(of, search, Task(**({"objective": GOAL} | task)), records=1)
    for _ in loop:
        pass
    return loop


def chances(search: SupernetSearch, id: str) -> list[float]:
    """What the policy says of a decision."""
    return list(search.policy()[search.net.space.point(id).index])


@pytest.mark.parametrize("shared", ["argmax", "sample", "kept"])
@pytest.mark.parametrize("goal", [GOAL, LOSS], ids=["accuracy", "loss"])
def test_a_ruinous_learning_rate_is_dropped_and_a_good_one_found(
    shared: Any, goal: Objective
) -> None:
    """Candidates 0, good and 1e6 on convex data: within 500 updates, never an exception."""
    of = net(optimizer=sgd(oneof([0.0, 0.5, 1e6], default=0.0)))
    search = AutoHAS(shared=shared, every=1, delay=0.0, warmup=0.0, lr=0.05)
    run(search, of, objective=goal)
    still, good, ruin = chances(search, "optimizer.lr")
    assert good > max(still, 0.5)
    assert ruin < 0.05
    assert all(weight.isfinite().all() for weight in of.model.parameters())
    assert of.program.evaluate()["accuracy"] > 0.8


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_reward_is_that_of_a_step_that_is_undone_by_hand(horizon: int) -> None:
    """Save, train, evaluate, restore: the same reward, and weights and momenta are untouched."""
    momentum = sgd(oneof([0.1, 0.7]), momentum=0.9, weight_decay=oneof([0.0, 0.1]))
    of = net(network(), momentum)
    search = AutoHAS(horizon=horizon)
    search.setup(of, Task(GOAL))
    batches = list(of.program.train_batches())[:4]
    record = of.space.decode(
        {"model.args[0]": "lossy", "optimizer.lr": 0.7, "optimizer.weight_decay": 0.1}
    )
    of.choose(record)
    search.train_weights(batches[3])
    search.past.extend(batches[:3])
    valid = next(of.program.valid_batches())
    before = copy.deepcopy((of.model.state_dict(), of.program.optimizer.state_dict()))
    found = search._worth(record, valid, search._on_past)
    after = of.model.state_dict(), of.program.optimizer.state_dict()
    assert all(torch.equal(after[0][key], before[0][key]) for key in before[0])
    for i, state in before[1]["state"].items():
        assert torch.equal(state["momentum_buffer"], after[1]["state"][i]["momentum_buffer"])
    for batch in batches[3 - horizon : 3]:
        search.train_weights(batch)
    assert found["quality"] == search.reward(valid)
    assert not torch.equal(of.model[1].weight, before[0]["1.weight"])


def test_the_shared_step_is_that_of_a_training_without_a_search() -> None:
    """While the policy is too slow to move, argmax is the static program, step by step."""
    searched = net(
        optimizer=sgd(oneof([0.1, 0.3], default=0.3), momentum=oneof([0.0, 0.9], default=0.0))
    )
    plain = net(optimizer=sgd(0.3))
    plain.model.load_state_dict(searched.model.state_dict())
    search = AutoHAS(every=1, delay=0.0, warmup=0.0, lr=1e-12)
    search.setup(searched, Task(GOAL))
    valid = next(searched.program.valid_batches())
    for step, batch in enumerate(list(plain.program.train_batches())[:20]):
        search._ascend = lambda *_: None  # type: ignore[method-assign]
        search.step(batch, lambda: valid, Moment(0, step, 1, 20))
        plain.program.optimizer.zero_grad()
        plain.program.loss(batch).backward()
        plain.program.optimizer.step()
        assert torch.equal(searched.model.weight, plain.model.weight)


def trajectory(search: SupernetSearch, of: Supernet) -> list[Any]:
    """Rewards and policies of some steps, and the weights that they lead to."""
    of.program.steps = 60
    loop = Loop(of, search, Task(GOAL, seed=3), records=60)
    seen = [(r.metrics["loss"], r.metrics.get("reward"), r.policy[0]) for r in loop]
    return [*seen, *(w.tolist() for w in of.model.parameters())]


def test_one_candidate_per_hyperparameter_is_tunas() -> None:
    """The same draws, losses, rewards and policies, from the first step to the last."""
    free, tied = net(network(), sgd(0.2)), net(network(), sgd(oneof([0.2]), oneof([0.0])))
    assert tied.live
    tied.model.load_state_dict(free.model.state_dict())
    expected = trajectory(TuNAS(every=1, samples=1, batches=1, unidentified="policy"), free)
    assert trajectory(AutoHAS(shared="kept", every=1), tied) == expected
    assert [each for each in expected if isinstance(each, tuple) and each[1] is not None]


@pytest.mark.parametrize(
    ("model", "rates", "goal"),
    [(None, [0.001, 0.1], LOSS), (network(), [0.01, 0.5], GOAL)],
    ids=["alone", "with layers"],
)
def test_one_architecture_is_a_search_of_hyperparameters(
    model: Any, rates: list[float], goal: Objective
) -> None:
    """And with both, both are found: joint search."""
    search = AutoHAS(delay=0.1, warmup=0.1, every=1)
    run(search, net(model, sgd(oneof(rates, default=rates[0]))), 300, objective=goal)
    assert chances(search, "optimizer.lr")[1] > 0.6
    best = next(search.derive(lambda: None))
    assert best["optimizer.lr"] == rates[1]
    assert model is None or best["model.args[0]"] == "all"


def test_a_hyperparameter_that_nothing_backs_stays_the_static_programs() -> None:
    """However sure the policy is; a layer is the policy's."""
    of = net(network(), sgd(oneof([0.1, 0.2], default=0.1)))
    search = AutoHAS()
    search.setup(of, Task(GOAL))
    with torch.no_grad():
        for logits in search.logits.of.values():
            logits.copy_(torch.tensor([0.0, 5.0]))
    rate = of.space.point("optimizer.lr").index
    found = [next(search.derive(lambda: None)).as_dict()]
    search.evidence.of = lambda index, place: 3.0 * (index == rate)  # type: ignore[method-assign]
    found.append(next(search.derive(lambda: None)).as_dict())
    assert [each["optimizer.lr"] for each in found] == [0.1, 0.2]
    assert {each["model.args[0]"] for each in found} == {"lossy"}


def test_groups_learn_one_after_the_other() -> None:
    """Before its turn a group is as in the static program, after it what was found stays."""
    of = net(network(), sgd(oneof([0.01, 0.5], default=0.01)))
    search = AutoHAS(delay=0.0, warmup=0.0, every=1, groups=[["model"], ["optimizer"]])
    search.setup(of, Task(GOAL, seed=1))
    valid = next(of.program.valid_batches())
    seen: list[tuple[str, float]] = []
    choose = of.choose
    of.choose = lambda d: (seen.append((d["model.args[0]"], d["optimizer.lr"])), choose(d))  # type: ignore[method-assign, assignment, return-value, func-returns-value]
    for step, batch in enumerate(list(of.program.train_batches())[:200]):
        if step == 100:
            rested = chances(search, "optimizer.lr")
            settled, first = chances(search, "model.args[0]"), seen[:]
            seen.clear()
        search.step(batch, lambda: valid, Moment(0, step, 1, 200))
    assert rested == [0.5, 0.5]
    assert {rate for _, rate in first} == {0.01}
    assert {model for model, _ in first} == {"all", "lossy"}
    assert chances(search, "model.args[0]") == settled
    assert len({model for model, _ in seen}) == 1
    assert {rate for _, rate in seen} == {0.01, 0.5}


def test_a_group_is_made_of_points() -> None:
    """By path or pattern; none twice, and none that there is not."""
    of = net(network(), sgd(oneof([0.1, 0.2])))
    AutoHAS(groups=[["model.*"], ["optimizer"]]).setup(of, Task(GOAL))
    with pytest.raises(UserError, match="no decision point is called optimiser") as caught:
        AutoHAS(groups=[["optimiser"]]).setup(of, Task(GOAL))
    assert "optimizer" in str(caught.value)
    with pytest.raises(UserError, match=r"optimizer.lr is in two groups"):
        AutoHAS(groups=[["model", "optimizer"], ["*.lr"]]).setup(of, Task(GOAL))


def test_numbers_may_end_at_the_mean() -> None:
    """The candidate that is nearest to it in the order of values, not the likeliest."""
    of = net(optimizer=sgd(oneof([0.3, 0.01, 0.1])))
    found = []
    for value in ("argmax", "mean"):
        search = AutoHAS(value=value)  # type: ignore[arg-type]
        search.setup(of, Task(GOAL))
        with torch.no_grad():
            search.logits.of[0].copy_(torch.tensor([0.45, 0.40, 0.15]).log())
        found.append(next(search.derive(lambda: None))["optimizer.lr"])
    assert found == [0.3, 0.1]


def test_one_gradient_serves_both_steps_where_only_the_optimiser_differs() -> None:
    """Where the loss differs too, there are two."""
    counts = []
    for smoothing in (0.0, oneof([0.0, 0.2])):
        of = net(network(), sgd(oneof([0.1, 0.2])), smoothing=smoothing)
        search = AutoHAS(delay=0.0, warmup=0.0, every=1)
        search.setup(of, Task(GOAL, seed=5))
        backward: list[int] = []
        loss = of.program.loss
        of.program.loss = lambda batch, loss=loss, seen=backward: (seen.append(1), loss(batch))[1]
        valid = next(of.program.valid_batches())
        for step, batch in enumerate(list(of.program.train_batches())[:40]):
            search.step(batch, lambda valid=valid: valid, Moment(0, step, 1, 40))
        counts.append(len(backward))
    assert counts[0] == 40
    assert 45 < counts[1] < 80


def test_it_is_identified_what_shows_within_a_step_and_no_weight_decay() -> None:
    """A rate that ruins the step gets nothing; weight decay acts too late to be backed."""
    rates, decays = [1e-4, 0.3, 300.0], [0.0, 1e-5, 1e-4, 1e-3, 3e-3]
    of = net(optimizer=sgd(oneof(rates), 0.0, oneof(decays)), batch=128)
    search = AutoHAS(every=1, delay=0.1, warmup=0.0, lr=0.03)
    run(search, of)
    found = search.found()
    assert chances(search, "optimizer.lr")[2] < 0.1
    assert found[f"evidence/{of.space.point('optimizer.lr').index}"] > 2.5
    assert found[f"evidence/{of.space.point('optimizer.weight_decay').index}"] < 2.5


@pytest.mark.parametrize("options", [{"horizon": 3}, {"shared": "sample"}, {"samples": 2}])
def test_it_goes_on_bit_for_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    """Policy, evidence, batches of the past and what is trusted are in the state."""

    def ready() -> Loop:
        rates = sgd(oneof([0.1, 0.5, 1e6], default=0.1), momentum=oneof([0.0, 0.9]))
        of = net(network(), rates, smoothing=oneof([0.0, 0.1]))
        of.program.steps = 40
        return Loop(of, AutoHAS(delay=0.2, warmup=0.1, **options), Task(GOAL, seed=2), records=40)

    whole = ready()
    expected = [(r.metrics, r.policy) for r in whole]
    for stop in (5, 22):
        first = ready()
        next(r for i, r in enumerate(first) if i == stop)
        torch.save(first.state_dict(), tmp_path / "state.pt")
        torch.rand(3)
        again = ready()
        again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert [(r.metrics, r.policy) for r in again] == expected[stop + 1 :]
        after, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
        assert all(torch.equal(after[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(
    "wrong", [{"every": 0}, {"horizon": 0}, {"shared": "best"}, {"value": "median"}]
)
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """Each is told."""
    with pytest.raises(UserError):
        AutoHAS(**wrong)


def test_a_continuous_rate_is_beyond_it() -> None:
    """Its capabilities say so before a supernet is built."""
    space = Space(linear(layer(WIDTH, 1), sgd(floatv(0.1, 0.9))))
    [fault] = AutoHAS.capabilities.shortfalls(space, [GOAL])
    assert "optimizer.lr: it is continuous" in fault
