"""The trainer: it learns, it repeats itself, it resumes bit for bit, it can be taken apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_cli.datasets.digits import Digits
from automl_cli.programs.augment import Cutout, Mixup, Shift
from automl_cli.programs.classifier import Classifier
from automl_cli.programs.mobilenet_v2 import InvertedResidual, MobileNetV2
from automl_cli.programs.optimizers import SGD, AdamW
from automl_spaces.trial import Pruned, Trial
from tests.threads import one_thread

METRICS = {"accuracy", "loss", "test_accuracy", "seconds", "params", "madds"}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    """Bit for bit needs a fixed number of threads; two would slow small tensors down."""
    with one_thread():
        yield


def small(**options: Any) -> Classifier:
    """A few blocks on digits, with everything that is random switched on."""
    blocks: list[nn.Module] = [InvertedResidual(16, expansion=1), InvertedResidual(24, expansion=3)]
    model = MobileNetV2(0.5, blocks=blocks, head=64, stem_stride=1, dropout=0.2)
    augment = [Shift(1), Cutout(2), Mixup(0.2)]
    defaults: dict[str, Any] = {"epochs": 3, "augment": augment, "label_smoothing": 0.1}
    optimizer = SGD(0.05, momentum=0.9)
    return Classifier(model, optimizer, Digits(), **(defaults | options))


def weights(program: Classifier) -> Tensor:
    """All weights and statistics of a trained model in one vector."""
    return torch.cat([v.flatten().double() for v in program.model.state_dict().values()])


def test_learning_happens() -> None:
    """Three blocks reach 90 % on digits in two seconds; chance is 10 %."""
    blocks: list[nn.Module] = [
        InvertedResidual(16, expansion=1),
        InvertedResidual(24, 2, expansion=3),
        InvertedResidual(24, expansion=3),
    ]
    model = MobileNetV2(blocks=blocks, head=64, stem_stride=1)
    found = Classifier(model, AdamW(0.01), Digits(), epochs=5, warmup_epochs=1)(Trial(seed=1))
    assert set(found) == METRICS
    assert found["accuracy"] > 0.9
    assert found["test_accuracy"] > 0.9
    assert all(math.isfinite(v) for v in found.values())


def test_the_seed_decides_everything() -> None:
    """Same seed, same weights, whatever the global generator did before; other seed, others."""
    torch.manual_seed(1)
    first, again, other = small(epochs=1), small(epochs=1), small(epochs=1)
    first(Trial(seed=5))
    torch.manual_seed(2)
    again(Trial(seed=5))
    other(Trial(seed=6))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_a_seed_of_its_own_goes_before_the_trials() -> None:
    """`seed` in the recipe makes trials equal."""
    first, again = small(epochs=1, seed=5), small(epochs=1, seed=5)
    first(Trial(seed=1))
    again(Trial(seed=2))
    assert torch.equal(weights(first), weights(again))


def test_resuming_equals_training_without_a_break(tmp_path: Path) -> None:
    """Granted 1, then 2, then all epochs: the weights and results of one training, bit for bit."""
    whole = small()
    expected = whole(Trial(seed=3))
    for budget in (1, 2, None):
        part = small()
        found = part(Trial(seed=3, budget=budget, folder=tmp_path))
    assert torch.equal(weights(part), weights(whole))
    differ = {"seconds"}
    assert {k: v for k, v in found.items() if k not in differ} == {
        k: v for k, v in expected.items() if k not in differ
    }


def test_reports_and_budget() -> None:
    """One report per epoch granted, numbered from 1; more than all epochs is all epochs."""
    heard: list[int] = []
    trial = Trial(budget=2, sink=lambda step, metrics: heard.append(step))
    small()(trial)
    assert heard == [1, 2]
    heard.clear()
    small()(Trial(budget=99, sink=lambda step, metrics: heard.append(step)))
    assert heard == [1, 2, 3]


def test_a_pruned_trial_can_be_taken_up_again(tmp_path: Path) -> None:
    """The checkpoint is there when the report raises; nothing is trained or reported twice."""
    heard: list[int] = []

    def prune(step: int, metrics: dict[str, float]) -> None:
        heard.append(step)
        if step == 2:
            raise Pruned

    with pytest.raises(Pruned):
        small()(Trial(seed=3, folder=tmp_path, sink=prune))
    resumed, whole = small(), small()
    resumed(Trial(seed=3, folder=tmp_path, sink=prune))
    whole(Trial(seed=3))
    assert heard == [1, 2, 3]
    assert torch.equal(weights(resumed), weights(whole))


def test_a_finished_training_is_only_scored(tmp_path: Path) -> None:
    """Killed between its last checkpoint and its result: the result is the same."""
    first = small(epochs=1)(Trial(seed=3, folder=tmp_path))
    again = small(epochs=1)(Trial(seed=3, folder=tmp_path))
    assert again == first


def test_a_checkpoint_of_another_trial_keeps_our_hyperparameters(tmp_path: Path) -> None:
    """Population-based training: weights and momenta are taken over, the learning rate is not."""
    small(schedule="constant")(Trial(folder=tmp_path, budget=1))
    heir = small(schedule="constant", seed=1)
    heir.optimizer_spec = SGD(0.007, momentum=0.5)
    heir(Trial(folder=tmp_path))
    [group] = heir.optimizer.param_groups
    assert (group["lr"], group["momentum"]) == (0.007, 0.5)


@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=["empty", "garbage", "torn"])
def test_a_broken_checkpoint_starts_anew(tmp_path: Path, damage: bytes | None) -> None:
    """With a warning, and with the result of a fresh training."""
    trial = Trial(seed=3, folder=tmp_path)
    expected = small(epochs=1)(trial)
    file = trial.checkpoint / "training.pt"
    file.write_bytes(file.read_bytes()[:-1000] if damage is None else damage)
    with pytest.warns(UserWarning, match="is broken, training starts anew"):
        found = small(epochs=1)(trial)
    assert found["loss"] == expected["loss"]
    assert [path.name for path in trial.checkpoint.iterdir()] == ["training.pt"]


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """Weights that do not fit are never loaded in part."""
    small(epochs=1)(Trial(folder=tmp_path))
    wider = small(epochs=1)
    wider.network = MobileNetV2(1.0, head=64)
    with pytest.raises(RuntimeError, match="state_dict"):
        wider(Trial(folder=tmp_path))


def test_divergence_ends_the_trial() -> None:
    """A loss that is no number fails the trial at once, and does not become its reward."""
    program = small()
    program.optimizer_spec = SGD(1e30)
    with pytest.raises(FloatingPointError, match="diverged"):
        program(Trial())


def test_the_learning_rate_follows_the_schedule() -> None:
    """Linear warm-up over the first epoch, then a cosine to nearly zero over all epochs."""
    program = small(epochs=4, warmup_epochs=1.0, batch_size=512)
    rates = []
    step = program.optimizer.step

    def spy(*args: Any, **kwargs: Any) -> Any:
        rates.append(program.optimizer.param_groups[0]["lr"])
        return step(*args, **kwargs)

    program.optimizer.step = spy  # type: ignore[method-assign]
    program(Trial())
    half = 0.5 * (1 + math.cos(math.pi / 6))
    assert rates[:4] == pytest.approx([0, 0.025, 0.05, 0.05 * half])
    assert rates[-1] == pytest.approx(0.05 * 0.5 * (1 + math.cos(math.pi * 5 / 6)))


def test_the_stepwise_protocol() -> None:
    """What a weight-sharing search uses: batches of known shapes, a loss that goes down."""
    program = small()
    images, targets = next(program.train_batches())
    assert images.shape == (64, 1, 8, 8)
    assert targets.shape == (64, 10)
    assert targets.sum(1) == pytest.approx(torch.ones(64))
    images, labels = next(program.valid_batches())
    assert (images.shape, labels.dtype) == ((64, 1, 8, 8), torch.int64)
    before = program.loss((images, labels)).item()
    for _ in range(5):
        for batch in program.train_batches():
            program.optimizer.zero_grad()
            program.loss(batch).backward()  # type: ignore[no-untyped-call]
            program.optimizer.step()
    assert program.loss((images, labels)).item() < before
    assert set(program.evaluate()) == {"accuracy", "loss"}


def test_each_pass_has_its_own_order() -> None:
    """Epochs differ from each other, and validation passes too, and all of it repeats."""

    def first_labels(program: Classifier) -> list[list[float]]:
        passes = [program.train_batches, program.train_batches]
        validations = [program.valid_batches, program.valid_batches]
        return [next(start())[1].flatten().tolist() for start in passes + validations]

    one, two = first_labels(small(augment=[])), first_labels(small(augment=[]))
    assert one == two
    assert one[0] != one[1]
    assert one[2] != one[3]


def test_a_hyperparameter_may_change_between_steps() -> None:
    """Label smoothing is read at each loss, as a search over live values needs it."""
    program = small()
    program.model.eval()
    batch = next(program.valid_batches())
    plain = program.loss(batch).item()
    program.label_smoothing = 0.9
    assert program.loss(batch).item() != plain


def test_a_module_of_ones_own_is_taken_as_it_is() -> None:
    """A plain nn.Module keeps the weights it came with."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    given = model.state_dict()["1.weight"].clone()
    program = Classifier(model, SGD(0.0), Digits(), epochs=1)
    found = program(Trial(seed=9))
    assert torch.equal(program.model.state_dict()["1.weight"], given)
    assert (found["params"], found["madds"]) == (650, 640)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"warmup_epochs": 3.0}])
def test_senseless_settings_are_refused(wrong: dict[str, Any]) -> None:
    """At construction, before any data is read."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        small(**wrong)


def test_validation_batches_are_joined() -> None:
    """What is said of them at once is the mean of what is said of each."""
    program = small(batch_size=32)
    batches = list(program.valid_batches())[:3]
    images, labels = program.join(batches)
    assert images.shape == (96, *program.data.shape)
    assert torch.equal(labels, torch.cat([each for _, each in batches]))
    each, together = program.evaluate(batches), program.evaluate([(images, labels)])
    assert together == pytest.approx(each)
