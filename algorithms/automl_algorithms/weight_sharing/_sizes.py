"""What TAS and FBNetV2 have in common: searches by gradients in which sizes are soft.

At first the policy rests and the weights are warmed up, as NATS-Bench does it (Dong et al. 2021,
arXiv 2009.00437): with a probability that falls linearly from 1 to 0 a size is the largest, and
else any; a decision between modules has all of them with equal weights, and else any one. After
that a step trains the weights on one relaxed sample, and the policy on another one.

Costs are held within bounds by the term of TAS (Dong and Yang 2019, arXiv 1905.09717), F being
the cost of the most probable network and E the expected one:

    weight x (log E if F is too high, -log E if F is too low, else 0)

As a cost need not be a sum over decisions, the gradient of log E is estimated by a few records.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Final, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing._alphas import Alphas, Gradients
from automl_algorithms.weight_sharing._presets import one_of
from automl_algorithms.weight_sharing._relaxed import check_temperatures, relaxed, temperature
from automl_algorithms.weight_sharing.derivation import argmax
from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.search import Batch, Bounds, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError

MaskScope = Literal["everywhere", "cell_output"]
"""Where sizes are masked; see `set_mask_scope`."""

TOLERANCE: Final = 0.05  # of a target, as a share of it: TAS's
RECORDS: Final = 8  # drawn for one estimate of an expected cost


class Setting(NamedTuple):
    """The options of both algorithms."""

    lr: float
    weight_decay: float
    mask_scope: str
    tau: tuple[float, float] = (10.0, 0.1)
    warmup: float = 0.3
    cost: str | None = None
    target: float | None = None
    cost_weight: float = 2.0
    clip: float | None = None


PRESETS: Final = {
    # For searches of some hundred steps.
    "default": Setting(0.03, 1e-3, "everywhere"),
    # NATS-Bench's: 100 epochs of 390 steps. Only what comes out of a cell is masked.
    "nats": Setting(3e-4, 1e-3, "cell_output"),
}


class SizeSearch(Alphas):
    """Base of the two; `soften` says what a size is in a relaxed sample.

    Attributes:
        sizes: gates of decisions about sizes alone.
        operations: gates of decisions that somewhere choose between modules.
        bands: per cost, the lowest and the highest value that the result shall have.

    Raises:
        UserError: an option that is out of its range.
    """

    def __init__(self, setting: Setting) -> None:
        one_of("mask_scope", setting.mask_scope, get_args(MaskScope))
        check_temperatures(setting.tau)
        if not 0 <= setting.warmup < 1:
            raise UserError(f"warmup is a share of the search, 0 <= warmup < 1: {setting.warmup:g}")
        if setting.target is not None and (setting.cost is None or setting.target <= 0):
            raise UserError("a target needs a cost and is positive: {cost: madds, target: 3.0e+8}")
        self.setting = setting
        self.lr, self.weight_decay, self.clip = setting.lr, setting.weight_decay, setting.clip

    def setup(self, net: Supernet, task: Task) -> None:
        """Tell sizes from other decisions.

        Raises:
            UserError: there is no size, or one of `set_mask_scope` or of the bounds of a cost.
        """
        super().setup(net, task)
        switched = net.switched()
        self.sizes = [g for i, g in net.gates.items() if i not in switched and g.size > 1]
        self.operations = [g for g in net.gates.values() if g not in self.sizes]
        if not self.sizes:
            raise _no_size(self.name, self.operations[0])
        set_mask_scope(net, self.setting.mask_scope)
        self.bands = self._bands()

    @abstractmethod
    def soften(self, gate: Gate, logits: Tensor, tau: float) -> None:
        """Set the gate of a size to a relaxed sample of softmax(logits [size])."""

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights, and after the warm-up the policy."""
        warmup = self.setting.warmup
        if at.progress < warmup:
            self._warm_up(1 - at.progress / warmup)
            return {"loss": self.train_weights(train)}
        tau = temperature(at, *self.setting.tau)
        with torch.no_grad():
            self._relax(tau)
        loss = self.train_weights(train)
        seen = self.learn(partial(self._relax, tau), valid())
        return {"loss": loss, "valid_loss": seen, "tau": tau}

    def descend(self, gradients: Gradients) -> None:
        """Also against the gradient of the cost term."""
        costs = self._cost_gradients()
        both = zip(gradients, costs or [None] * len(gradients), strict=True)
        super().descend([b if a is None else a if b is None else a + b for a, b in both])

    def _relax(self, tau: float) -> None:
        for gate in self.operations:
            gate.mix(relaxed(self.logits.of[gate.point.index], tau, self.generator))
        for gate in self.sizes:
            self.soften(gate, self.logits.of[gate.point.index], tau)

    def _warm_up(self, chance: float) -> None:
        for gate in self.operations:
            if self.rng.random() < chance:
                gate.mix_evenly()
            else:
                gate.choose(self.rng.randrange(gate.size))
        for gate in self.sizes:
            if self.rng.random() < chance:
                gate.choose_largest()
            else:
                gate.choose(self.rng.randrange(gate.size))

    def _cost_gradients(self) -> Gradients | None:
        """Of the cost term for the logits; None where all costs are within their bands.

        d log E = E[c d log p] / E, where c may be taken relative to the mean of the others.
        """
        if not self.bands:
            return None
        costs, space, settled = self.task.costs, self.net.space, self.net.settled
        now = costs(argmax(space, self.policy(), settled))
        sides = {
            name: (now[name] > high) - (now[name] < low) for name, (low, high) in self.bands.items()
        }
        if not any(sides.values()):
            return None
        records = [self.logits.sample(self.rng) for _ in range(RECORDS)]
        weights = torch.zeros(RECORDS)
        for name, side in sides.items():
            found = torch.tensor([float(costs(record)[name]) for record in records])
            weights += side * (found / found.mean() - 1) / (RECORDS - 1)
        term = weights @ torch.stack([self.logits.log_prob(record) for record in records])
        return torch.autograd.grad(
            self.setting.cost_weight * term, self.logits.parameters(), allow_unused=True
        )

    def _bands(self) -> Bounds:
        """A target, give or take its tolerance; else what the recipe's constraints bound."""
        cost, target, bounds = self.setting.cost, self.setting.target, self.task.bounds
        if cost is None:
            return bounds
        if target is not None:
            return {cost: ((1 - TOLERANCE) * target, (1 + TOLERANCE) * target)}
        if not any(map(math.isfinite, bounds.get(cost, ()))):
            raise UserError(
                f"what is the target of {cost}?",
                hint=f"target: ..., or constraints: {{{cost}: {{max: ...}}}} in the recipe",
            )
        return {cost: bounds[cost]}


def set_mask_scope(net: Supernet, scope: str) -> None:
    """Where sizes are masked: everywhere, or the output of each cell alone.

    The second is what the published searches of NATS-Bench's size space trained: inside of a cell
    all channels are computed, whatever is chosen. That is no narrow network.

    Raises:
        UserError: no network of the space can do it; those that can have a `mask_scope`.
    """
    networks = [module for module in net.model.modules() if hasattr(module, "mask_scope")]
    if not networks and scope != "everywhere":
        raise UserError(
            f"mask_scope: {scope} is for networks of cells, and this space has none",
            path="algorithm.mask_scope",
            hint="mask_scope: everywhere",
        )
    for network in networks:
        network.mask_scope = scope  # type: ignore[assignment]


def _no_size(name: str, gate: Gate) -> UserError:
    family = {each: catalogue.load(each) for each in catalogue.names("weight_sharing")}
    others = [
        each
        for each, search in family.items()
        if "architecture" in search.accepts and not issubclass(search, SizeSearch)
    ]
    return UserError(
        f"{name} searches sizes, and here is none: this is a choice between modules",
        gate.point.mark,
        path=gate.point.id,
        hint=f"for such spaces there are {', '.join(others)}",
    )
