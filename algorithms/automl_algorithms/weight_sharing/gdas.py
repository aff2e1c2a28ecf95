"""GDAS: one candidate is computed at each place, and yet the policy has a gradient.

Dong and Yang 2019 (arXiv 1910.04465). With Gumbel noise g and a temperature tau that falls from
epoch to epoch, a step of the policy uses at each decision

    p = softmax((log softmax(alpha) + g) / tau),  i = argmax p
    h = onehot(i) - stopgrad(p) + p
    y = h_i op_i(x)

so that its value is the output of one sampled path, the same at all places of a decision. What
the candidates not selected add to the gradient is an option, see `gates.Gradient`. The weights
are trained on a sampled path of their own. In the end every decision takes its most probable
candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, NamedTuple, cast, get_args

import torch

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._alphas import Alphas
from automl_algorithms.weight_sharing._presets import chosen, one_of
from automl_algorithms.weight_sharing._relaxed import check_temperatures, relaxed, temperature
from automl_algorithms.weight_sharing.derivation import allowed
from automl_algorithms.weight_sharing.gates import Gradient
from automl_algorithms.weight_sharing.search import Batch, Moment
from automl_spaces.points import Value


class Preset(NamedTuple):
    """A named setting."""

    lr: float
    weight_decay: float
    gradient: str
    tau: tuple[float, float]
    clip: float | None


PRESETS: Final = {
    # For searches of some hundred steps. On arms of fixed worth only "all" always finds the best.
    "default": Preset(0.03, 1e-3, "all", (10.0, 0.1), None),
    # Dong et al. 2021, NATS-Bench (arXiv 2009.00437): 100 epochs of 390 steps.
    "nats": Preset(3e-4, 1e-3, "sum", (10.0, 0.1), None),
    "paper": Preset(3e-4, 1e-3, "sum", (10.0, 0.1), 5.0),
}


@algorithm
class GDAS(Alphas):
    """Gradient-based search with a differentiable sampler.

    Args:
        preset: a named setting of the options below.
        lr: of alpha, by Adam.
        weight_decay: of alpha.
        gradient: by which candidates the policy learns: all (every one is computed), sum (the
            others as if they gave ones, as the authors' code has it), selected (that one alone).
        tau: temperature in the first epoch and in the last, linear between them.
        clip: norm that a gradient of the weights may have; .inf for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats", "paper"] = "default",
        lr: float | None = None,
        weight_decay: float | None = None,
        gradient: Literal["all", "sum", "selected"] | None = None,
        tau: list[float] | None = None,
        clip: float | None = None,
    ) -> None:
        setting = chosen(
            PRESETS,
            preset,
            lr=lr,
            weight_decay=weight_decay,
            gradient=gradient,
            tau=tau,
            clip=clip,
        )
        check_temperatures(setting.tau)
        one_of("gradient", setting.gradient, get_args(Gradient))
        self.lr, self.weight_decay = setting.lr, setting.weight_decay
        self.gradient = cast("Gradient", setting.gradient)
        self.tau, self.clip = setting.tau, setting.clip

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights of one path, then the policy by another."""
        self.net.choose(self.logits.sample(self.rng))
        loss = self.train_weights(train)
        tau = temperature(at, *self.tau)
        seen = self.learn(partial(self._pick, tau), valid())
        return {"loss": loss, "valid_loss": seen, "tau": tau}

    def _pick(self, tau: float) -> None:
        """Set every gate to a relaxed sample, the constraints of groups included."""
        values: list[Value] = []
        for point in self.net.space.points:
            gate = self.net.gates.get(point.index)
            if gate is None:
                values.append(self.net.settled.get(point.index))
                continue
            logits, possible = self.logits.of[point.index], allowed(point, values)
            if possible is not None:
                logits = logits.where(torch.tensor(possible), -torch.inf)
            weights = relaxed(logits, tau, self.generator)
            index = int(weights.argmax())
            gate.pick(weights, index, self.gradient)
            values.append(point.at(index))
