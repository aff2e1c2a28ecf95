"""The supernet of a program: what it needs, its gates, its weights, training it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing import lowering
from automl_algorithms.weight_sharing.gates import Choose, Mix
from automl_algorithms.weight_sharing.supernet import Supernet, decided_by, lower
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.recipe import load_recipe
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.points import Point
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.algorithms.weight_sharing.stepwise import (
    Fit,
    conv,
    fit,
    identity,
    lowered,
    norm,
    relu,
    sequential,
)


def nested() -> Supernet:
    """`op` is a layer or nothing; the layer has its own choice, `activation`."""
    inner = sequential(conv(3, 3, 1), norm(3), oneof([relu(), identity()], name="activation"))
    return lowered(sequential(conv(3, 3, 1), oneof([inner, identity()], name="op")))


# What a program needs.


def test_a_function_is_not_stepwise() -> None:
    """It is not run to find out."""

    def train(lr: float) -> float:
        raise AssertionError("it ran")

    with pytest.raises(UserError, match=r"train cannot be searched .* lacks train_batches, valid"):
        lower(Space(symbolize(train)(lr=oneof([0.1, 0.2]))))


def test_a_program_without_some_methods_says_which() -> None:
    """Before any complaint about choices; with what would work."""

    class Half:
        def __init__(self, lr: float) -> None:
            self.lr = lr

        def train_batches(self) -> None: ...

    with pytest.raises(UserError) as caught:
        lower(Space(symbolize(Half)(lr=oneof([0.1, 0.2]))))
    message = str(caught.value)
    assert "it lacks valid_batches, loss, evaluate" in message
    assert "search it by trials" in message


def test_a_program_without_a_model_says_so() -> None:
    """What is set by __init__ is only known when it is built."""

    class Without:
        def __init__(self, layer: nn.Module) -> None:
            self.optimizer = None

        train_batches = valid_batches = loss = evaluate = Fit.evaluate

    with pytest.raises(UserError, match=r"Without cannot be searched .*: it lacks model \("):
        lower(Space(symbolize(Without)(oneof([relu(), identity()]))))


def test_a_choice_between_programs_is_settled_first() -> None:
    """Then the program is checked, and lowered with the choices that are left."""

    def train() -> float:
        raise AssertionError("it ran")

    function = symbolize(train)()
    space = Space(oneof([function, fit(sequential(oneof([relu(), identity()])))]))
    with pytest.raises(UserError, match="program: stands outside of modules"):
        lower(space)
    with pytest.raises(UserError, match="train cannot be searched"):
        lower(space, lambda point: 0)
    assert len(lower(space, lambda point: 1).gates) == 1


def test_a_program_that_is_a_module_itself() -> None:
    """Its learning rate is a choice outside of modules, its layer is one inside."""

    class Lit(nn.Module):
        train_batches, valid_batches = Fit.train_batches, Fit.valid_batches
        loss, evaluate = Fit.loss, Fit.evaluate

        def __init__(self, model: nn.Module, lr: float) -> None:
            super().__init__()
            self.model = model
            self.optimizer = torch.optim.SGD(model.parameters(), lr)

    lit = symbolize(Lit)(model=sequential(conv(3, 3, oneof([1, 3]))), lr=oneof([0.1, 0.2]))
    with pytest.raises(UserError, match=r"^lr: stands outside of modules"):
        lower(Space(lit))
    net = lower(Space(lit), lambda point: 1)
    assert net.program.optimizer.param_groups[0]["lr"] == 0.2
    assert [gate.values for gate in net.gates.values()] == [(1, 3)]


def test_a_model_that_looks_into_its_parts_when_it_is_made() -> None:
    """What goes wrong when the data is known is told as well."""

    class Late(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def build_for(self, shape: Any, classes: int) -> nn.Module:
            return nn.Linear(self.layer.kernel_size[0], classes)  # type: ignore[index, arg-type]

    with pytest.raises(UserError, match=r"model\.layer: the model cannot .*kernel_size"):
        lowered(symbolize(Late)(oneof([conv(3, 3, 1), conv(3, 3, 3)])))


# Gates.


def test_choose_sets_every_gate() -> None:
    """Those of inactive points are reset, so that nobody comes by there unnoticed."""
    net = nested()
    op, activation = (net.gates[net.space.point(id).index] for id in ("op", "activation"))
    net.choose(net.space.decode({"op": "Sequential", "activation": "Identity"}))
    assert (op.use(), activation.use()) == (Choose(0), Choose(1))
    net.choose(net.space.decode({"op": "Identity"}))
    assert op.use() == Choose(1)
    with pytest.raises(RuntimeError, match="activation"):
        activation.use()


def test_mix_sets_every_gate() -> None:
    """All weights one-hot: the path; through nested switches."""
    net = nested()
    decisions = net.space.decode({"op": "Sequential", "activation": "Identity"})
    net.choose(decisions)
    path = net.model(net.program.images)
    onehot = {index: torch.zeros(2, dtype=torch.float64) for index in net.gates}
    for index, value in enumerate(decisions.values):
        assert isinstance(value, int)
        onehot[index][value] = 1.0
    net.mix(onehot)
    assert all(isinstance(gate.use(), Mix) for gate in net.gates.values())
    assert (net.model(net.program.images) - path).abs().max() <= 1e-12


# Weights.


def test_an_export_is_a_copy() -> None:
    """Training on does not change it, nor the program that was derived."""
    net = nested()
    decisions = net.space.sample(random.Random(3))
    state, alone = net.export(decisions), net.derive(decisions)
    with torch.no_grad():
        for weight in net.model.parameters():
            weight.add_(1.0)
    assert state.keys() == alone.model.state_dict().keys()
    for name, value in alone.model.state_dict().items():
        assert torch.equal(value, state[name])
    assert not torch.equal(state["0.weight"], net.export(decisions)["0.weight"])


def test_a_record_that_does_not_come_by_a_gate() -> None:
    """Asking for its decision is a slip, and is said to be one."""
    net = nested()
    gate = net.gates[net.space.point("activation").index]
    with pytest.raises(ValueError, match="activation is inactive"):
        decided_by(net.space.decode({"op": "Identity"}))(gate)


# The check on a batch.


def test_a_check_leaves_everything_as_it_was() -> None:
    """Weights, running statistics, mode, gradients; the gates are reset."""
    net = nested()
    before = {k: v.clone() for k, v in net.model.state_dict().items()}
    net.model.train()
    net.check(net.program.batch)
    assert all(torch.equal(v, before[k]) for k, v in net.model.state_dict().items())
    assert net.model.training
    assert all(p.grad is None for p in net.model.parameters())
    with pytest.raises(RuntimeError, match="nothing was chosen"):
        net.model(net.program.images)


def test_candidates_that_disagree_are_found_on_a_batch() -> None:
    """By the name of the decision point, whatever follows them."""
    net = lowered(sequential(oneof([conv(3, 3, 1), conv(3, 5, 1)]), conv(3, 3, 1)))
    with pytest.raises(UserError, match=r"^model\.args\[0\]: .*disagree.*3, 8, 8\].*5, 8, 8\]"):
        net.check(net.program.batch)


def test_a_candidate_that_fails_is_found_on_a_batch() -> None:
    """By its name and the name of its decision point."""
    net = lowered(sequential(oneof([conv(3, 3, 1), norm(7)])))
    with pytest.raises(UserError, match=r"candidate BatchNorm2d of model\.args\[0\]: the supernet"):
        net.check(net.program.batch)


# Real programs, untouched.


def train(net: Supernet, steps: int = 3) -> list[float]:
    """Losses of as many steps on random paths."""
    rng, losses = random.Random(0), []
    net.check(next(iter(net.program.valid_batches())))
    net.model.train()
    for _, batch in zip(range(steps), net.program.train_batches(), strict=False):
        values = [net.settled.get(point.index) for point in net.space.points]
        net.choose(net.space.complete(values, rng))
        net.program.optimizer.zero_grad()
        loss = net.program.loss(batch)
        loss.backward()
        net.program.optimizer.step()
        losses.append(loss.item())
    return losses


def assert_derives(net: Supernet) -> None:
    """After training, a path scores as its stand-alone program does; weights are the trained."""
    rng = random.Random(1)
    for _ in range(3):
        values = [net.settled.get(point.index) for point in net.space.points]
        decisions = net.space.complete(values, rng)
        net.choose(decisions)
        alone = net.derive(decisions)
        score, expected = net.program.evaluate(), alone.evaluate()
        assert score["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def settle(point: Point) -> float:
    """SGD with a learning rate of 0.05."""
    assert point.id in {"optimizer", "optimizer(SGD).lr"}
    return 0 if point.id == "optimizer" else 0.05


def test_the_topology_recipe() -> None:
    """Six gates; one switch per edge and cell; trains on random paths."""
    recipe = load_recipe("cells/topology", settings=["program.data=!Digits {}"])
    net = lower(Space(recipe.template))
    assert len(net.gates) == 6
    assert sum(isinstance(m, Switch) for m in net.model.modules()) == 18
    losses = train(net)
    assert len(losses) == 3 and all(0 < loss < 5 for loss in losses)
    assert_derives(net)


@pytest.mark.parametrize("rules", [True, False])
def test_the_first_run(rules: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its architecture; the optimiser is settled. Without rules blocks are copied, which works."""
    if not rules:
        monkeypatch.setattr(lowering, "find_rule", lambda node: None)
    net = lower(Space(load_recipe("first_run").template), settle)
    assert len(net.gates) == 7
    assert len(train(net)) == 3
    assert_derives(net)


RECIPE = """
imports: [torch.nn]
program: !Classifier
  model: !torch.nn.Sequential
  - !torch.nn.Conv2d [1, 8, 3]
  - !oneof [!torch.nn.ReLU {}, !torch.nn.Tanh {}, !torch.nn.Identity {}]
  - !torch.nn.Flatten {}
  - !oneof
    - !torch.nn.Dropout {p: !oneof [0.1, 0.5]}
    - !torch.nn.Sequential [!torch.nn.Linear [288, 288], !torch.nn.ReLU {}]
  - !torch.nn.Linear [288, 10]
  optimizer: !SGD {lr: 0.1}
  data: !Digits {}
  epochs: 1
algorithm: random
objective: {maximize: accuracy}
"""


def test_a_recipe_of_plain_torch(tmp_path: Path) -> None:
    """Modules of PyTorch, named by tags, with a number in one of them."""
    path = tmp_path / "plain.yaml"
    path.write_text(RECIPE, "utf-8")
    net = lower(Space(load_recipe("plain", path=path).template))
    assert [gate.size for gate in net.gates.values()] == [3, 2, 2]
    assert len(train(net)) == 3
    assert_derives(net)


def test_a_program_without_a_seed_takes_the_supernets(tmp_path: Path) -> None:
    """As it would take a trial's: `Classifier` draws its weights from it."""
    space = Space(load_recipe("cells/topology", settings=["program.data=!Digits {}"]).template)
    one, two, other = (lower(space, seed=seed) for seed in (1, 1, 2))
    assert one.program.seed == 1

    def weights(net: Supernet) -> Tensor:
        return net.model.state_dict()["stem.0.weight"]  # type: ignore[no-any-return]

    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))
