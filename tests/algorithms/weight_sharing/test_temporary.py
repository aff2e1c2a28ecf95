"""A training that is undone: exact, and while it lasts it is the real one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from automl_algorithms.weight_sharing._temporary import Temporary
from automl_algorithms.weight_sharing.norms import batch_statistics

KINDS: dict[str, Callable[[Any], Optimizer]] = {
    "sgd": lambda w: SGD(w, 0.1, momentum=0.9, weight_decay=1e-3),
    "nesterov": lambda w: SGD(w, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda w: Adam(w, 0.01, weight_decay=1e-3),
    "adamw": lambda w: AdamW(w, 0.01, weight_decay=0.1),
    "rmsprop": lambda w: RMSprop(w, 0.01, momentum=0.5),
}


class Paths(nn.Module):
    """Two layers of which one is on the path, with normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = nn.ModuleList(nn.Linear(4, 6) for _ in range(2))
        self.norm, self.last = nn.BatchNorm1d(6), nn.Linear(6, 2)
        self.side = 0

    def forward(self, x: Tensor) -> Tensor:
        """[N, 4] -> [N, 2]."""
        result: Tensor = self.last(self.norm(self.sides[self.side](x)).relu())
        return result


@pytest.fixture
def model() -> Iterator[Paths]:
    """Seeded weights."""
    torch.manual_seed(1)
    yield Paths()


def batches(n: int) -> list[Tensor]:
    """[16, 4] each."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(16, 4, generator=generator) for _ in range(n)]


def train(model: Paths, optimizer: Optimizer, data: list[Tensor]) -> None:
    """A step on each batch."""
    model.train()
    for x in data:
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()


def frozen(model: Paths, optimizer: Optimizer) -> dict[str, Any]:
    """A copy of all state."""
    found = {"model": model.state_dict(), "state": optimizer.state_dict()["state"]}
    return copy.deepcopy(found)


def assert_same(a: Any, b: Any, error: float = 0.0) -> None:
    """Nested states: the same tensors, up to an error, and the same numbers."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key], error)
    elif isinstance(a, Tensor):
        assert torch.equal(a, b) if not error else (a - b).abs().max() <= error
    else:
        assert a == b


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("steps", [1, 3])
def test_it_is_a_real_training_and_leaves_no_trace(
    model: Paths, kind: str, before: int, steps: int
) -> None:
    """Weights, buffers and momenta: within, those of a deep copy; after it, bit for bit the old."""
    optimizer = KINDS[kind](model.parameters())
    past, data = batches(before), batches(before + steps)[before:]
    train(model, optimizer, past)
    real = copy.deepcopy(model)
    twin = KINDS[kind](real.parameters())
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(real, twin, data)
    old = frozen(model, optimizer)
    with Temporary(model, optimizer):
        train(model, optimizer, data)
        assert_same(frozen(model, optimizer), frozen(real, twin), 1e-7)
        assert not torch.equal(model.last.weight, old["model"]["last.weight"])
    assert_same(frozen(model, optimizer), old)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_afterwards_goes_on_as_if_nothing_had_been(model: Paths, kind: str) -> None:
    """Also on the other path, whose weights had no state yet."""
    other = copy.deepcopy(model)
    optimizer, undisturbed = KINDS[kind](model.parameters()), KINDS[kind](other.parameters())
    data = batches(4)
    for x in data:
        with Temporary(model, optimizer):
            model.side = 1
            train(model, optimizer, [x, x])
        model.side = 0
        train(model, optimizer, [x])
        train(other, undisturbed, [x])
    assert_same(frozen(model, optimizer), frozen(other, undisturbed))


def test_only_what_a_step_touches_is_copied(model: Paths) -> None:
    """The weights of the other path stay where they are."""
    optimizer = KINDS["adam"](model.parameters())
    with Temporary(model, optimizer):
        places = {name: weight.data_ptr() for name, weight in model.named_parameters()}
        train(model, optimizer, batches(1))
        moved = {n for n, weight in model.named_parameters() if weight.data_ptr() != places[n]}
    assert moved == {
        "sides.0.weight",
        "sides.0.bias",
        "norm.weight",
        "norm.bias",
        "last.weight",
        "last.bias",
    }


def test_kinds_of_optimisers_in_turns(model: Paths) -> None:
    """A temporary step of each on the same weights, from the state that each left."""
    made = {kind: KINDS[kind](model.parameters()) for kind in ("sgd", "adam", "rmsprop")}
    data = batches(6)
    for (kind, optimizer), x in zip(made.items(), data, strict=False):
        train(model, optimizer, [x])
        for other in made.values():
            real = copy.deepcopy(model)
            twin = KINDS[next(k for k, o in made.items() if o is other)](real.parameters())
            twin.load_state_dict(copy.deepcopy(other.state_dict()))
            train(real, twin, [x])
            with Temporary(model, other):
                train(model, other, [x])
                assert_same(frozen(model, other), frozen(real, twin), 1e-7)
        assert made[kind].state


def test_what_is_kept_stays(model: Paths) -> None:
    """As if it had not been temporary; what comes after it in the block too."""
    other = copy.deepcopy(model)
    optimizer, plain = KINDS["sgd"](model.parameters()), KINDS["sgd"](other.parameters())
    data = batches(3)
    with Temporary(model, optimizer) as temporary:
        train(model, optimizer, data[:1])
        temporary.keep()
    train(model, optimizer, data[1:])
    train(other, plain, data)
    assert_same(frozen(model, optimizer), frozen(other, plain))


def test_an_error_undoes_it(model: Paths) -> None:
    """Whatever happens within, the weights are safe."""
    optimizer = KINDS["sgd"](model.parameters())
    old = frozen(model, optimizer)

    def broken() -> None:
        with Temporary(model, optimizer):
            train(model, optimizer, batches(1))
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert_same(frozen(model, optimizer), old)
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize(("rate", "sane"), [(0.1, True), (1e5, False), (1e38, False)])
def test_ruined_weights_are_recognised(model: Paths, rate: float, sane: bool) -> None:
    """Infinite ones, and those that grew beyond measure."""
    optimizer = SGD(model.parameters(), rate)
    with Temporary(model, optimizer) as temporary:
        train(model, optimizer, batches(1))
        assert temporary.sane() is sane


def test_a_reward_is_that_of_a_save_and_restore(model: Paths) -> None:
    """Step, evaluate by batch statistics, restore all by hand: the same number, bit for bit."""
    optimizer = KINDS["adamw"](model.parameters())
    past, [x, valid] = batches(2), batches(4)[2:]
    train(model, optimizer, past)

    def quality() -> float:
        train(model, optimizer, [x])
        model.eval()
        with torch.no_grad(), batch_statistics(model):
            return float(model(valid).square().mean())

    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    expected = quality()
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
    with Temporary(model, optimizer):
        assert quality() == expected
