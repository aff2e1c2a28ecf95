"""DARTS: all candidates are computed, and their weights are learned by gradient descent.

Liu et al. 2019 (arXiv 1806.09055). Every place of a decision gives

    y = sum_k softmax(alpha)_k op_k(x)

A step trains the weights w on a training batch, and alpha on a validation one. The gradient of
alpha takes w as it is (order 1), or follows how w would move in its next step (order 2, see
`_lookahead`). In the end every decision takes its most probable candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, NamedTuple

import torch

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._alphas import Alphas
from automl_algorithms.weight_sharing._lookahead import lookahead_gradient
from automl_algorithms.weight_sharing._presets import chosen, one_of
from automl_algorithms.weight_sharing.search import Batch, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError


class Preset(NamedTuple):
    """A named setting."""

    lr: float
    weight_decay: float
    first: str
    clip: float | None


PRESETS: Final = {
    # For searches of some hundred steps.
    "default": Preset(0.03, 1e-3, "weights", None),
    # Dong et al. 2021, NATS-Bench (arXiv 2009.00437): 100 epochs of 390 steps.
    "nats": Preset(3e-4, 1e-3, "weights", None),
    "paper": Preset(3e-4, 1e-3, "alphas", 5.0),
}


@algorithm
class DARTS(Alphas):
    """Differentiable architecture search.

    Args:
        preset: a named setting of the options after `order`.
        order: 1, or 2 at about 2.5 times the cost of a step; 2 needs a program trained by SGD.
        lr: of alpha, by Adam.
        weight_decay: of alpha.
        first: what a step trains first: weights or alphas.
        clip: norm that a gradient of the weights may have; .inf for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats", "paper"] = "default",
        order: Literal[1, 2] = 1,
        lr: float | None = None,
        weight_decay: float | None = None,
        first: Literal["weights", "alphas"] | None = None,
        clip: float | None = None,
    ) -> None:
        one_of("order", order, (1, 2))
        setting = chosen(PRESETS, preset, lr=lr, weight_decay=weight_decay, first=first, clip=clip)
        one_of("first", setting.first, ("weights", "alphas"))
        self.order = order
        self.lr, self.weight_decay, self.first, self.clip = setting

    def setup(self, net: Supernet, task: Task) -> None:
        """Also see that the weights are trained by SGD if that matters."""
        super().setup(net, task)
        if self.order == 2 and not isinstance(net.program.optimizer, torch.optim.SGD):
            found = type(net.program.optimizer).__name__
            raise UserError(
                f"DARTS of order 2 foresees steps of SGD, and the program has {found}",
                path="algorithm.order",
                hint="order: 1 works with any optimiser",
            )

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """A step of the weights and one of alpha."""
        if self.first == "alphas":
            seen = self._alphas(train, valid())
            return {"loss": self._weights(train), "valid_loss": seen}
        loss = self._weights(train)
        return {"loss": loss, "valid_loss": self._alphas(train, valid())}

    def _weights(self, batch: Batch) -> float:
        self.mix(learn=False)
        return self.train_weights(batch)

    def _alphas(self, train: Batch, valid: Batch) -> float:
        if self.order == 1:
            return self.learn(partial(self.mix, learn=True), valid)

        def loss(batch: Batch) -> torch.Tensor:
            self.mix(learn=True)
            found: torch.Tensor = program.loss(batch)
            return found

        program = self.net.program
        program.model.train()
        value, gradients = lookahead_gradient(
            program.model,
            program.optimizer,
            partial(loss, train),
            partial(loss, valid),
            self.logits.parameters(),
        )
        self.descend(gradients)
        return value
