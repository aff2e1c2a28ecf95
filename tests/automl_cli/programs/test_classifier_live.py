"""What of a classifier can change between steps, and what of it a search by weight sharing asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_cli.datasets.digits import Digits
from automl_cli.programs import augment, classifier, optimizers
from automl_cli.programs.classifier import Classifier
from automl_cli.programs.optimizers import SGD, Adam, RMSProp
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.threads import one_thread

sgd, adam = symbolize(optimizers.SGD), symbolize(optimizers.Adam)
program, digits = symbolize(classifier.Classifier), symbolize(Digits)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    """Bit for bit needs a fixed number of threads."""
    with one_thread():
        yield


def linear() -> nn.Module:
    """A layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def made(**options: Any) -> Classifier:
    """A classifier of digits; its schedule has come to the first batch of the second epoch."""
    found = Classifier(linear(), SGD(0.1, momentum=0.9), Digits(), seed=1, **options)
    step(found)
    found.seek(1, 0)
    step(found)
    return found


def step(found: Classifier) -> None:
    """One batch of the next epoch."""
    batch = next(iter(found.train_batches()))
    found.optimizer.zero_grad()
    found.loss(batch).backward()  # type: ignore[no-untyped-call]
    found.optimizer.step()


def lowered(**arguments: Any) -> Supernet:
    """The supernet of a classifier with a choice between two layers, and these arguments."""
    layer = symbolize(nn.Linear)(64, 10)
    other = symbolize(nn.Sequential)(symbolize(nn.Linear)(64, 10))
    model = symbolize(nn.Sequential)(symbolize(nn.Flatten)(), oneof([layer, other]))
    defaults = {"optimizer": sgd(0.1)}
    return lower(Space(program(model=model, data=digits(), **(defaults | arguments))))


def test_the_same_kind_of_optimiser_keeps_its_state() -> None:
    """The groups of the real optimiser are changed in place; the schedule goes on."""
    found = made()
    real = found.optimizer
    factor = real.param_groups[0]["lr"] / 0.1
    momenta = [state["momentum_buffer"].clone() for state in real.state.values()]
    found.adopt("optimizer", SGD(0.4, momentum=0.5, weight_decay=0.01))
    assert found.optimizer is real
    [group] = real.param_groups
    assert 0 < factor < 1
    assert (group["initial_lr"], group["lr"]) == (0.4, pytest.approx(0.4 * factor))
    assert (group["momentum"], group["weight_decay"]) == (0.5, 0.01)
    kept = [state["momentum_buffer"] for state in real.state.values()]
    assert all(map(torch.equal, kept, momenta))


def test_another_kind_has_its_own_state_which_waits() -> None:
    """And comes back with it."""
    found = made()
    first = found.optimizer
    found.adopt("optimizer", Adam(0.01, beta1=0.8))
    second = found.optimizer
    assert isinstance(second, torch.optim.Adam)
    assert second.param_groups[0]["lr"] == pytest.approx(first.param_groups[0]["lr"] / 10)
    assert not second.state
    step(found)
    found.adopt("optimizer", SGD(0.1, momentum=0.9))
    assert found.optimizer is first
    assert first.state
    found.adopt("optimizer", Adam(0.02))
    assert found.optimizer is second
    assert all(state["step"] == 1 for state in second.state.values())


def test_the_states_of_all_kinds_are_saved() -> None:
    """One that is not in use yet gets its state when it is."""
    found = made()
    found.adopt("optimizer", RMSProp(0.01))
    step(found)
    states = found.optimizers.state_dict()
    assert states.keys() == {"SGD", "RMSprop"}
    again = Classifier(linear(), SGD(0.1, momentum=0.9), Digits(), seed=1)
    again.optimizers.load_state_dict(states)
    assert again.optimizers.state_dict().keys() == states.keys()
    for spec, kind in ((RMSProp(0.01), "square_avg"), (SGD(0.1, momentum=0.9), "momentum_buffer")):
        found.adopt("optimizer", spec)
        again.adopt("optimizer", spec)
        pairs = zip(found.model.parameters(), again.model.parameters(), strict=True)
        for a, b in pairs:
            assert torch.equal(found.optimizer.state[a][kind], again.optimizer.state[b][kind])


def test_an_adopted_augmentation_acts_on_the_batch_that_is_there() -> None:
    """And the same batch is changed in the same way again; the others of the epoch are the same."""
    found = Classifier(linear(), SGD(), Digits(), seed=1, augment=[augment.Flip(1.0)])
    plain = Classifier(linear(), SGD(), Digits(), seed=1)
    found.adopt("augment", [])
    plain.model.load_state_dict(found.model.state_dict())
    for mine, theirs in zip(found.train_batches(), plain.train_batches(), strict=True):
        assert torch.equal(mine[0], theirs[0])
        found.adopt("augment", [])
        assert found.loss(mine) == plain.loss(theirs)
        found.adopt("augment", [augment.Shift(2), augment.Mixup(0.5)])
        assert found.loss(mine) == found.loss(mine) != plain.loss(theirs)


def test_validation_batches_are_never_augmented() -> None:
    """A loss on them is what it is."""
    found = Classifier(linear(), SGD(), Digits(), seed=1)
    batch = next(iter(found.valid_batches()))
    expected = found.loss(batch)
    found.adopt("augment", [augment.Mixup(0.5)])
    assert found.loss(batch) == expected


def test_label_smoothing_acts_at_once() -> None:
    """On the next loss."""
    found = made()
    batch = next(iter(found.train_batches()))
    before = found.loss(batch)
    found.adopt("label_smoothing", 0.3)
    assert found.loss(batch) != before


def test_what_is_not_live_is_no_matter_of_adoption() -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="epochs cannot change between steps"):
        made().adopt("epochs", 3)


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("epochs", [1, 2]),
        ("batch_size", [32, 64]),
        ("schedule", ["cosine", "constant"]),
        ("warmup_epochs", [0.0, 0.5]),
    ],
)
def test_what_acts_on_a_whole_training_is_refused(name: str, candidates: list[Any]) -> None:
    """By name, with what can change and where this one can be searched."""
    with pytest.raises(UserError, match=rf"^{name}: stands outside .* cannot change it between"):
        lowered(**{name: oneof(candidates)})


def test_hyperparameters_are_searched_beside_the_network() -> None:
    """A record says what the optimiser, the smoothing and the augmentation are."""
    kinds = oneof([sgd(oneof([0.1, 0.2])), adam()])
    mixup = symbolize(augment.Mixup)(oneof([0.0, 0.4]))
    net = lowered(optimizer=kinds, label_smoothing=oneof([0.0, 0.1]), augment=[mixup])
    net.check(next(iter(net.program.train_batches())))
    assert len(net.live) == 4
    net.choose(
        net.space.decode(
            {
                "model.args[1]": "Linear",
                "optimizer": "Adam",
                "label_smoothing": 0.1,
                "augment[0].alpha": 0.4,
            }
        )
    )
    assert isinstance(net.program.optimizer, torch.optim.Adam)
    assert net.program.label_smoothing == 0.1
    assert [each.alpha for each in net.program.augment] == [0.4]


def test_a_search_with_all_of_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Two kinds of optimisers, augmentation, smoothing and the schedule; from amid an epoch."""

    def ready() -> Loop:
        kinds = oneof([sgd(oneof([0.1, 0.3]), momentum=0.9), adam()])
        mixup = symbolize(augment.Mixup)(oneof([0.0, 0.4]))
        shift = symbolize(augment.Shift)(oneof([0, 1]))
        net = lowered(
            optimizer=kinds,
            label_smoothing=oneof([0.0, 0.1]),
            augment=[shift, mixup],
            batch_size=256,
            seed=4,
        )
        search = AutoHAS(shared="sample", every=2, delay=0.2, warmup=0.2)
        return Loop(net, search, Task(Objective("accuracy"), seed=1), epochs=4, records=100)

    whole = ready()
    expected = [(record.metrics, record.policy) for record in whole]
    first = ready()
    next(record for i, record in enumerate(first) if i == 9)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    again = ready()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [(record.metrics, record.policy) for record in again] == expected[10:]
    after, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
    assert all(torch.equal(after[key], wanted[key]) for key in wanted)
