"""What the differentiable searches have in common: logits that descend the validation loss.

The logits, alpha in the papers, begin near 0 and are trained by Adam with betas (0.5, 0.999), as
in DARTS (Liu et al. 2019, arXiv 1806.09055, section A.1.1). A batch of the validation part gives
their gradient with the weights held fixed, and no gradient of the weights is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.logits import Logits
from automl_algorithms.weight_sharing.search import Batch, Diverged, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet

Gradients = Sequence[Tensor | None]
"""One for each of the logits; None where a decision had no part in the loss."""


class Alphas(SupernetSearch):
    """Base of the searches whose policy is trained by the gradient of the validation loss.

    Attributes:
        lr, weight_decay: of the logits.
        logits: independent for each decision.
    """

    betas: ClassVar = (0.5, 0.999)
    init: ClassVar = 1e-3  # standard deviation of the logits at the beginning
    lr: float
    weight_decay: float

    def setup(self, net: Supernet, task: Task) -> None:
        """A policy that is nearly uniform."""
        super().setup(net, task)
        self.logits = Logits(net, self.init, self.generator)
        self.optimizer = torch.optim.Adam(
            self.logits.parameters(), self.lr, betas=self.betas, weight_decay=self.weight_decay
        )

    def policy(self) -> Policy:
        """As learned so far."""
        return self.logits.probabilities()

    def mix(self, learn: bool) -> None:
        """Every candidate, weighted by its probability; with a gradient for it if `learn`."""
        weights = {index: logits.softmax(0) for index, logits in self.logits.of.items()}
        self.net.mix(weights if learn else {i: each.detach() for i, each in weights.items()})

    def learn(self, gate: Callable[[], None], batch: Batch) -> float:
        """A step of the logits on a batch of the validation part.

        Args:
            gate: sets the gates, with a gradient for the logits.

        Returns:
            The loss before the step.

        Raises:
            Diverged: see `descend`.
        """
        self.net.model.train()
        gate()
        loss = self.net.program.loss(batch)
        alphas = self.logits.parameters()
        self.descend(torch.autograd.grad(loss, alphas, allow_unused=True))
        value: float = loss.item()
        return value

    def descend(self, gradients: Gradients) -> None:
        """A step of the logits against their gradients.

        Raises:
            Diverged: when one is not finite; the logits are left alone.
        """
        if not all(g is None or g.isfinite().all() for g in gradients):
            raise Diverged("the gradient of the policy is not finite")
        for logits, gradient in zip(self.logits.parameters(), gradients, strict=True):
            logits.grad = gradient
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """The logits and their optimiser too."""
        return super().state_dict() | {
            "logits": self.logits.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.logits.load_state_dict(state["logits"])
        self.optimizer.load_state_dict(state["optimizer"])
