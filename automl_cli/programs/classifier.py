"""Supervised training of an image classifier: a plain loop, with nothing about search in it.

A `Classifier` is one training. Called with a trial it runs to the end; a weight-sharing search
takes it apart by the stepwise protocol instead: `model`, `optimizer`, `train_batches()`,
`valid_batches()`, `loss(batch)`, `evaluate(batches)`, and the optional `epochs`, `steps`, `seek`,
`join`, `optimizers`, `live_arguments`, `inert_arguments` and `adopt`.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from automl_cli.costs.counting import count
from automl_cli.programs.contracts import BuiltForData
from automl_cli.programs.optimizer_kinds import OptimizerKinds
from automl_cli.programs.schedules import rate_factor
from automl_cli.programs.training_state import load_state, save_state
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.programs.contracts import (
        Augmentation,
        Batch,
        Dataset,
        Device,
        OptimizerSpec,
        Split,
    )
    from automl_spaces.trial import Trial


@register
class Classifier:
    """Trains a model on labelled images; the reward is the accuracy on the validation part.

    The seed decides everything that is random: weights, order, augmentation, dropout. What an
    epoch draws follows from the seed and the number of the epoch alone, so a training that is
    stopped and resumed is the same, bit for bit, as one that is not (on CPU).

    Args:
        model: an `nn.Module`, or something that builds one for the data (`BuiltForData`). The
            weights of a module that is given as such are taken as they are.
        optimizer: its hyperparameters; called with the parameters, it makes the real one.
        data: where the three parts come from.
        epochs: passes over the training part.
        batch_size: images per step.
        schedule: of the learning rate, over `epochs`.
        warmup_epochs: epochs in which the learning rate rises to its full value.
        augment: applied to each training batch, in order.
        label_smoothing: share of each target that is spread over all classes.
        temperature: the outputs of the model are divided by it before the softmax (Agarwala et al.
            2020, arXiv 2010.07344). Above 1, the last layer learns slowly for the rest; networks
            with wide last layers and few steps, and supernets above all, begin to learn sooner.
        seed: of this training; None takes the trial's.
        device: of the training; "auto" is a GPU if there is one.
        accelerator: that the network is meant for. The training has no use for it; costs have.
    """

    live_arguments: ClassVar[tuple[str, ...]] = ("optimizer", "label_smoothing", "augment")
    inert_arguments: ClassVar[tuple[str, ...]] = ("accelerator",)

    def __init__(
        self,
        model: nn.Module | BuiltForData,
        optimizer: OptimizerSpec,
        data: Dataset,
        epochs: int = 8,
        batch_size: int = 64,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup_epochs: float = 0.0,
        augment: list[Augmentation] | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        seed: int | None = None,
        device: str = "auto",
        accelerator: Device | None = None,
    ) -> None:
        if epochs < 1 or batch_size < 1:
            raise ValueError(f"Classifier: {epochs=} and {batch_size=} must be positive")
        if not 0 <= warmup_epochs < epochs:
            raise ValueError(f"Classifier: {warmup_epochs=} must be from 0 to less than {epochs=}")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.network, self.optimizer_spec, self.data = model, optimizer, data
        if temperature <= 0:
            raise ValueError(f"Classifier: {temperature=} must be positive")
        self.epochs, self.batch_size, self.temperature = epochs, batch_size, temperature
        self.schedule, self.warmup_epochs = schedule, warmup_epochs
        self.augment, self.label_smoothing = list(augment or ()), label_smoothing
        self.seed, self.device, self.accelerator = seed, torch.device(device), accelerator
        self._augments_late = False  # in `loss`, when a search may change what is done
        self._noise = 0  # the seed of the augmentation of the last batch, then
        self.epoch = self.validations = 0  # passes over the two parts, begun so far
        self.seconds = 0.0  # of training, over all attempts

    def __call__(self, trial: Trial) -> dict[str, float]:
        """Train for the epochs that the trial grants; resume from its checkpoint.

        Returns:
            `accuracy` and `loss` on the validation part, `test_accuracy` (both accuracies from
            0 to 1), `seconds` of training, `params` and `madds` of the model.

        Raises:
            FloatingPointError: when the training diverges.
            Pruned: when the trial is not to go on; its checkpoint stays.
        """
        self.seed = trial.seed if self.seed is None else self.seed
        granted = self.epochs if trial.budget is None else max(1, round(trial.budget))
        checkpoint = trial.checkpoint / "training.pt"
        load_state(checkpoint, self)
        scores = None
        while self.epoch < min(granted, self.epochs):
            began = time.perf_counter()
            self.train_epoch()
            self.seconds += time.perf_counter() - began
            scores = self.evaluate()
            save_state(checkpoint, self)  # before the report, which may end or pause the trial
            trial.report(step=self.epoch, **scores)
        size = count(self.model, self.data.shape)
        return {
            **(scores or self.evaluate()),
            "test_accuracy": self.evaluate(self._in_order(self.data.test))["accuracy"],
            "seconds": self.seconds,
            "params": float(size.params),
            "madds": float(size.madds),
        }

    def train_epoch(self) -> None:
        """One pass over the training part."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        for batch in self.train_batches():
            self.optimizer.zero_grad()
            loss = self.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            total += loss.detach()
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the training diverged: loss {total.item()} in {self.epoch=}")

    # The stepwise protocol.

    @cached_property
    def model(self) -> nn.Module:
        """The model, built for the data with the weights of the seed."""
        torch.manual_seed(self._draw("weights"))
        model = self.network
        if isinstance(model, BuiltForData):
            model = model.build_for(self.data.shape, self.data.classes)
        # channels_last is 1.4 to 2.5 times as fast on CPU.
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimiser of the model's parameters; `initial_lr` is its full learning rate."""
        return self.optimizers.current

    @cached_property
    def optimizers(self) -> OptimizerKinds:
        """Those of all kinds that were adopted."""
        return OptimizerKinds(self.model.parameters(), self.optimizer_spec)

    def adopt(self, name: str, value: Any) -> None:
        """Go on with another value of a live argument, from the next loss or step on.

        The state of an optimiser is kept: momenta stay with the weights, and those of another
        kind of optimiser wait until it is in use again.
        """
        match name:
            case "optimizer":
                self.optimizers.adopt(value)
            case "label_smoothing":
                self.label_smoothing = float(value)
            case "augment":
                self.augment, self._augments_late = list(value or ()), True
            case _:
                raise ValueError(f"{name} cannot change between steps")

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return max(1, len(self.data.train) // self.batch_size)

    def train_batches(self) -> Iterator[Batch]:
        """One epoch, the next at each call: shuffled and augmented.

        Before each batch the optimiser gets the schedule's learning rate for it. Once `augment`
        was adopted, it is up to `loss` to augment.

        Yields:
            images float32 [N, C, H, W], targets float32 [N, classes]. A last batch that is not
            full is left out: batch normalisation dislikes single images.
        """
        self.epoch += 1
        seed = self._draw("train", self.epoch)
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed + 1)  # dropout draws from the global generator
        batches = self.data.train.batches(self.batch_size, generator, drop_last=True)
        for step, (images, labels) in enumerate(batches):
            self._set_rate((self.epoch - 1 + step / self.steps) / self.epochs)
            batch = images, one_hot(labels, self.data.classes).float()
            self._noise = seed + 2 + step
            yield self._placed(batch if self._augments_late else self._augmented(batch, generator))

    def valid_batches(self) -> Iterator[Batch]:
        """One pass over the validation part in an order of its own, not augmented.

        Yields:
            images float32 [N, C, H, W], labels int64 [N].
        """
        generator = torch.Generator().manual_seed(self._draw("valid", self.validations))
        self.validations += 1
        yield from map(self._placed, self.data.valid.batches(self.batch_size, generator))

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """Several batches as one."""
        images, labels = zip(*batches, strict=True)
        return torch.cat(images), torch.cat(labels)

    def seek(self, epoch: int, validations: int) -> None:
        """Let so many passes over the training and the validation part count as begun."""
        self.epoch, self.validations = epoch, validations

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of a batch with smoothed targets; a scalar."""
        if self._augments_late and batch[1].is_floating_point():  # probabilities: it is to train
            batch = self._augmented(batch, torch.Generator().manual_seed(self._noise))
        images, targets = batch
        return cross_entropy(self._logits(images), targets, label_smoothing=self.label_smoothing)

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """`accuracy` (0 to 1) and `loss` (cross-entropy) on batches with labels.

        Args:
            batches: images float32 [N, C, H, W], labels int64 [N]; the validation part if None.
        """
        self.model.eval()
        correct = loss = torch.zeros((), device=self.device)
        seen = 0
        for images, labels in self._in_order(self.data.valid) if batches is None else batches:
            logits = self._logits(images)
            correct = correct + (logits.argmax(1) == labels).sum()
            loss = loss + cross_entropy(logits, labels, reduction="sum")
            seen += len(labels)
        return {"accuracy": correct.item() / seen, "loss": loss.item() / seen}

    def _logits(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.model(images)
        return outputs if self.temperature == 1 else outputs / self.temperature

    def _in_order(self, split: Split) -> Iterator[Batch]:
        return map(self._placed, split.batches(max(256, self.batch_size)))

    def _set_rate(self, progress: float) -> None:
        warmup = self.warmup_epochs / self.epochs
        self.optimizers.scale(rate_factor(self.schedule, progress, warmup))

    def _augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        images, targets = batch
        for augment in self.augment:
            images, targets = augment(images, targets, generator)
        return images, targets

    def _placed(self, batch: Batch) -> Batch:
        inputs, targets = batch
        layout = torch.channels_last if inputs.dim() == 4 else torch.preserve_format
        return inputs.to(self.device, memory_format=layout), targets.to(self.device)

    def _draw(self, purpose: str, number: int = 0) -> int:
        """A seed for one purpose: independent of the others, the same in every process."""
        return random.Random(f"{self.seed or 0}/{purpose}/{number}").getrandbits(62)
