"""ENAS: a recurrent controller learns by REINFORCE which paths of a supernet are good.

Pham et al. 2018 (arXiv 1802.03268). Two phases take turns. In an epoch, each training batch
trains the path of a record drawn from the controller; at its end the weights rest, and the
controller ascends

    R = Q + lambda H,  (R - b) grad log p(record)

Q being the reward of a record on a validation batch, H the entropy of the decisions that made
it and b a baseline. In the end records drawn from the controller compete.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

import torch

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._baseline import Baseline
from automl_algorithms.weight_sharing._controller import Controller
from automl_algorithms.weight_sharing._presets import chosen, one_of
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.search import (
    MOST_DRAWS,
    Batch,
    Moment,
    SupernetSearch,
    Task,
)
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError


class Preset(NamedTuple):
    """A named setting."""

    lr: float
    updates: int
    samples: int
    entropy: float
    baseline: str
    shared: bool
    finalists: int


PRESETS: Final = {
    # For searches of some epochs.
    "default": Preset(0.01, 20, 10, 1e-4, "running", False, 10),
    # Dong et al. 2021, NATS-Bench (arXiv 2009.00437): 100 epochs; validation batches of 512.
    "nats": Preset(1e-3, 50, 20, 1e-4, "epoch", True, 1),
}
BETAS, EPS, CLIP = (0.5, 0.999), 1e-3, 5.0
DECAY = 0.99  # of the baseline within an epoch


@algorithm
class ENAS(SupernetSearch):
    """Efficient neural architecture search by parameter sharing.

    Args:
        preset: a named setting of the seven options after it.
        lr: of the controller, by Adam.
        updates: of the controller, at the end of each epoch.
        samples: records in each update, every one on a validation batch of its own.
        entropy: its weight in the reward (lambda).
        baseline: running, the mean of the rewards so far; epoch, that of the epoch before, which
            teaches next to nothing in the first one.
        shared: whether decisions between the same candidates share the controller's parameters.
        finalists: how many candidates are judged again, on the whole validation part, if above 1.
        candidates: records that compete in the end, on a validation batch.
        clip: norm that a gradient of the weights may have; None for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats"] = "default",
        lr: float | None = None,
        updates: int | None = None,
        samples: int | None = None,
        entropy: float | None = None,
        baseline: Literal["running", "epoch"] | None = None,
        shared: bool | None = None,
        finalists: int | None = None,
        candidates: int = 100,
        clip: float | None = None,
    ) -> None:
        self.options = chosen(
            PRESETS,
            preset,
            lr=lr,
            updates=updates,
            samples=samples,
            entropy=entropy,
            baseline=baseline,
            shared=shared,
            finalists=finalists,
        )
        one_of("baseline", self.options.baseline, ("running", "epoch"))
        if self.options.samples < 1:
            raise UserError(f"an update needs samples, not {self.options.samples}")
        self.candidates, self.clip = candidates, clip

    def setup(self, net: Supernet, task: Task) -> None:
        """A controller that is nearly uniform."""
        super().setup(net, task)
        self.controller = Controller(net, self.options.shared, self.generator)
        self.optimizer = torch.optim.Adam(
            self.controller.parameters(), self.options.lr, betas=BETAS, eps=EPS
        )
        running = self.options.baseline == "running"
        self.baseline: Baseline | EpochBaseline = Baseline(0.95) if running else EpochBaseline()

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights of a path that the controller draws."""
        self.net.choose(self._sample())
        return {"loss": self.train_weights(train)}

    def end_epoch(self, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The phase of the controller."""
        rewards = [self._update(valid) for _ in range(self.options.updates)]
        if isinstance(self.baseline, EpochBaseline):
            self.baseline.end_epoch()
        return {"reward": sum(rewards) / len(rewards)} if rewards else {}

    def policy(self) -> Policy:
        """Of each decision, given that those before it are the most probable ones.

        So its largest entries are the greedy record. What that leaves inactive is uniform.
        """
        uniform = {i: [1 / gate.size] * gate.size for i, gate in self.net.gates.items()}
        return uniform | self.controller.greedy().chances

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The best of the records that the controller draws and the constraints accept."""
        drawn = (self._sample() for _ in range(MOST_DRAWS))
        accepted = islice(filter(self.task.accepts, drawn), self.candidates)
        yield from self.ranked(accepted, [valid()], self.options.finalists)

    @torch.no_grad()
    def _sample(self) -> Decisions:
        return self.controller.sample(self.rng).decisions

    def _update(self, valid: Callable[[], Batch]) -> float:
        """One step of the controller; the mean quality of the records it drew for it."""
        self.optimizer.zero_grad()
        total = 0.0
        for _ in range(self.options.samples):
            walk = self.controller.sample(self.rng)
            self.net.choose(walk.decisions)
            quality = self.reward(valid())
            total += quality
            if not math.isfinite(quality):
                continue  # it teaches nothing
            reward = quality + self.options.entropy * walk.entropy
            advantage = reward - self.baseline.take(reward)
            loss = -advantage * walk.log_prob / self.options.samples
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.controller.parameters(), CLIP)
        self.optimizer.step()
        return total / self.options.samples

    def state_dict(self) -> dict[str, Any]:
        """The controller, its optimiser and the baseline too."""
        return super().state_dict() | {
            "controller": self.controller.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": self.baseline.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline.load_state_dict(state["baseline"])


class EpochBaseline:
    """The baseline of the authors' code as NATS-Bench has it: it learns from epoch to epoch.

    With B the mean of the epoch before, a reward r has b = B - (1 - decay) (B - r), and the mean
    of these is the next B. In the first epoch b = r, so that nothing is learned.
    """

    def __init__(self) -> None:
        self.before: float | None = None
        self._taken: list[float] = []

    def take(self, reward: float) -> float:
        """The baseline for a reward."""
        b = reward if self.before is None else self.before - (1 - DECAY) * (self.before - reward)
        self._taken.append(b)
        return b

    def end_epoch(self) -> None:
        """Let its mean be the next epoch's."""
        if self._taken:
            self.before, self._taken = sum(self._taken) / len(self._taken), []

    def state_dict(self) -> float | None:
        """Between epochs it is all there is."""
        return self.before

    def load_state_dict(self, state: float | None) -> None:
        """Go on from a state."""
        self.before = state
