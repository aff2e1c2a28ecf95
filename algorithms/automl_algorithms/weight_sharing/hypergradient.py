"""Hypergradient descent: the learning rate follows the gradient of the loss by itself.

Baydin et al. 2018 (arXiv 1703.04782). With the update direction u of the step before,
w_t = w_{t-1} - eta u, and the gradient g_t at w_t, the loss has

    dL(w_t) / d eta = -g_t . u

so that the learning rate moves by

    eta += beta g_t . u                           additive: their equation 4; SGD-HD, Adam-HD
    eta *= 1 + beta cos(g_t, u)                   multiplicative: free of scales

before w_t takes its own step. Here eta is the full learning rate, which the program's schedule
scales by f_t: dL / d eta = -f g_t . u. The direction is taken from what the step did to the
weights; so it is that of any optimiser, momentum, preconditioning and weight decay included.
With `validation`, g_t is the gradient of a validation batch instead (Luketina et al. 2016, arXiv
1511.06727).

A list of learning rates is a range between its ends; the record has the nearest one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from automl_algorithms.contract import Capabilities, algorithm
from automl_algorithms.weight_sharing._dials import Dials
from automl_algorithms.weight_sharing._presets import one_of
from automl_algorithms.weight_sharing._update import decays, dot, gradients, judged, norm
from automl_algorithms.weight_sharing.search import Batch, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError


@algorithm
class Hypergradient(Dials):
    """The learning rate of one training, while it runs.

    Args:
        rule: how the learning rate moves.
        beta: of the rule; None: 0.01 for additive, which the authors tune (1e-8 to 1e-3), and 0.1
            for multiplicative. 0 is a plain training.
        validation: follow the gradient of validation batches, one in each step.
        clip: norm that a gradient of the weights may have; None for any.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"learning_rate"})
    capabilities = Capabilities(continuous=True, conditional=False, groups=False)
    roles: ClassVar = {"rate": "a learning rate"}

    def __init__(
        self,
        *,
        rule: Literal["additive", "multiplicative"] = "additive",
        beta: float | None = None,
        validation: bool = False,
        clip: float | None = None,
    ) -> None:
        one_of("rule", rule, ("multiplicative", "additive"))
        if beta is not None and not beta >= 0:
            raise UserError(f"beta must not be negative, got {beta:g}")
        self.rule, self.validation, self.clip = rule, validation, clip
        self.beta = beta if beta is not None else {"multiplicative": 0.1, "additive": 0.01}[rule]

    def setup(self, net: Supernet, task: Task) -> None:
        """Raises `UserError` unless one learning rate is searched, and nothing else."""
        super().setup(net, task)
        if len(self.numbers) != 1:
            ids = ", ".join(number.point.id for number in self.numbers.values())
            raise UserError(
                f"hypergradient moves one learning rate, and there are {ids or 'none'}",
                hint="autohas_differentiable takes several",
            )
        [self.index] = self.numbers
        self.change: list[Tensor] = []  # w_t - w_{t-1}, in the order of the weights

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The gradient, then the learning rate, then the weights."""
        program = self.net.program
        weights = list(self.net.model.parameters())
        loss = self.differentiate(train)
        if self.change and self.beta:
            self._move(self._gradient(valid))
        before = [weight.detach().clone() for weight in weights]
        program.optimizer.step()
        self.change = [w.detach() - b for w, b in zip(weights, before, strict=True)]
        return {"loss": loss, "rate": self.values[self.index]}

    def _move(self, gradient: list[Tensor]) -> None:
        """The next learning rate, within its range."""
        value = self.values[self.index]
        along = dot(gradient, self.change)  # -f eta g . u
        if not math.isfinite(along):
            return
        if self.rule == "multiplicative":
            sizes = norm(gradient) * norm(self.change)
            value *= 1 - self.beta * (along / sizes if sizes else 0.0)
        elif value:
            value -= self.beta * along / value
        self.turn({self.index: value})

    def _gradient(self, valid: Callable[[], Batch]) -> list[Tensor]:
        """Of the loss that the learning rate is to lower, for each of the weights."""
        program = self.net.program
        weights = list(self.net.model.parameters())
        if self.validation:
            with judged(self.net.model):
                loss = program.loss(valid())
            return gradients(loss, weights)
        found = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        decay = decays(program.optimizer, coupled=True)
        return [
            g + decay[w] * w.detach() if w in decay else g
            for w, g in zip(weights, found, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """The last change of the weights, too."""
        return super().state_dict() | {"change": self.change}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.change = state["change"]
