"""Can a search that trains once find a weight decay? `python benchmarks/weight_decay.py`.

A multilayer perceptron with many more weights than its 400 examples, of whose labels three tenths
are drawn anew: trained to the end, the best of eight weight decays is worth ten points of test
accuracy. For each of five seeds (of data and weights), one training with each decay from scratch,
as the truth; then what AutoHAS finds in a search as long as one training, by its rewards alone and
with a finish of one or two trainings. Costs are in units of one training: gradients, and CPU time,
which counts what is small beside the gradients of any network but this. About two minutes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.identified import is_identified
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_spaces import oneof
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

DECAYS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
STATIC = 1e-4
SEARCHES: dict[str, dict[str, Any]] = {
    "rewards alone": {},
    "finish: 1": {"finish": 1},
    "finish: 2": {"finish": 2},
}
SEEDS = range(5)
WIDTH, CLASSES, NOISE = 20, 4, 0.3
TRAIN, VALID, TEST, BATCH = 400, 1024, 4000, 64
EPOCHS, STEPS, RATE = 8, 100, 0.1

Batch = tuple[Tensor, Tensor]


class NoisyLabels:
    """A stepwise program: SGD with momentum, a cosine schedule, labels of which some are wrong.

    Args:
        seed: of the data and of the weights.
        decay: of the weights; live.
    """

    live_arguments: ClassVar[tuple[str, ...]] = ("decay",)

    def __init__(self, seed: int, decay: float = STATIC) -> None:
        self.seed, self.decay = seed, decay
        self.epochs, self.steps = EPOCHS, STEPS
        self.epoch = self.validations = self.losses = 0
        generator = torch.Generator().manual_seed(seed)
        first = torch.randn(WIDTH, 16, generator=generator) / WIDTH**0.5
        last = torch.randn(16, CLASSES, generator=generator)

        def drawn(n: int) -> Batch:
            x = torch.randn(n, WIDTH, generator=generator)
            return x, ((x @ first).relu() @ last).argmax(1)

        x, y = drawn(TRAIN)
        wrong = torch.rand(TRAIN, generator=generator) < NOISE
        self.train = x, y.where(~wrong, torch.randint(CLASSES, (TRAIN,), generator=generator))
        self.valid, self.test = drawn(VALID), drawn(TEST)

    @cached_property
    def model(self) -> nn.Module:
        """[N, WIDTH] -> [N, CLASSES]."""
        torch.manual_seed(self.seed)
        return nn.Sequential(nn.Linear(WIDTH, 128), nn.ReLU(), nn.Linear(128, CLASSES))

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """With the decay that was adopted."""
        weights = self.model.parameters()
        return torch.optim.SGD(weights, RATE, momentum=0.9, weight_decay=self.decay)

    def adopt(self, name: str, value: float) -> None:
        """Go on with another decay."""
        self.optimizer.param_groups[0]["weight_decay"] = value

    def seek(self, epoch: int, validations: int) -> None:
        """Go to a position."""
        self.epoch, self.validations = epoch, validations

    def train_batches(self) -> Iterator[Batch]:
        """Drawn with replacement."""
        self.epoch += 1
        generator = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        x, y = self.train
        for step in range(self.steps):
            done = (self.epoch - 1 + step / self.steps) / self.epochs
            self.optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * done)) / 2
            picked = torch.randint(TRAIN, (BATCH,), generator=generator)
            yield x[picked], y[picked]

    def valid_batches(self) -> Iterator[Batch]:
        """The validation part, shuffled."""
        self.validations += 1
        generator = torch.Generator().manual_seed(-1000 * self.seed - self.validations)
        order = torch.randperm(VALID, generator=generator)
        x, y = self.valid
        yield from ((x[part], y[part]) for part in order.split(BATCH))

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy; they are counted."""
        self.losses += 1
        return cross_entropy(self.model(batch[0]), batch[1])

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch] | None = None) -> dict[str, float]:
        """Accuracy."""
        parts = [self.valid] if batches is None else list(batches)
        hits = [(self.model(x).argmax(1) == y).float() for x, y in parts]
        return {"accuracy": float(torch.cat(hits).mean())}


class Found(NamedTuple):
    """What a search came to.

    Args:
        place: of the decay.
        identified: whether the search says that it has found it.
        gradients: in trainings.
        seconds: of CPU time.
    """

    place: int
    identified: bool
    gradients: float
    seconds: float


def trained(seed: int, decay: float) -> tuple[float, float]:
    """Test accuracy after a whole training, and its CPU time in seconds."""
    program = NoisyLabels(seed, decay)
    began = time.process_time()
    for _ in range(EPOCHS):
        for batch in program.train_batches():
            program.optimizer.zero_grad()
            program.loss(batch).backward()  # type: ignore[no-untyped-call]
            program.optimizer.step()
    return program.evaluate([program.test])["accuracy"], time.process_time() - began


def searched(seed: int, options: dict[str, Any]) -> Found:
    """By AutoHAS, in a search as long as a training."""
    decays = oneof(list(DECAYS), default=STATIC)
    net = lower(Space(symbolize(NoisyLabels)(seed=seed, decay=decays)))
    search = AutoHAS(**options)
    loop = Loop(net, search, Task(Objective("accuracy"), seed), records=1)
    began = time.process_time()
    *_, last = loop
    best = next(search.derive(loop.feed.valid))
    seconds = time.process_time() - began
    [point] = net.space.points
    place = point.place(best.values[0])
    evidence = last.metrics.get("evidence/0")
    identified = is_identified(last.policy[0][place], len(DECAYS), evidence)
    return Found(place, identified, net.program.losses / (EPOCHS * STEPS), seconds)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    trained(SEEDS[0], STATIC)  # the first one pays for PyTorch's beginning
    head = " ".join(f"{decay:>7.0e}" for decay in DECAYS)
    print(f"seed  test accuracy after a training with decay\n      {head}")
    near = dict.fromkeys(SEARCHES, 0)
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in SEARCHES}
    for seed in SEEDS:
        accuracies, seconds = zip(*(trained(seed, decay) for decay in DECAYS), strict=True)
        best = max(range(len(DECAYS)), key=accuracies.__getitem__)
        print(f"{seed:4}  {' '.join(f'{100 * each:7.1f}' for each in accuracies)}")
        for name, options in SEARCHES.items():
            found = searched(seed, options)
            near[name] += abs(found.place - best) <= 1
            costs[name].append((found.gradients, found.seconds / fmean(seconds)))
            lost = 100 * (accuracies[best] - accuracies[found.place])
            print(
                f"      {name:14} {DECAYS[found.place]:.0e}, {lost:4.1f} points below the best, "
                f"{'identified' if found.identified else 'not identified'}",
                flush=True,
            )
    for name, count in near.items():
        gradients, spent = map(fmean, zip(*costs[name], strict=True))
        print(
            f"{name}: within one candidate of the best for {count} of {len(SEEDS)} seeds; "
            f"cost {gradients:.2f} in gradients, {spent:.1f} in CPU time"
        )


if __name__ == "__main__":
    main()
