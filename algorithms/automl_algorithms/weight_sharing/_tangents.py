"""How weights depend on hyperparameters, through steps of SGD: dw / dlambda in forward mode.

Franceschi et al. 2017 (arXiv 1703.01785), section 3.2. With the training loss L, momentum mu and
weight decay lam, the tangents z = dw / dlambda and b of the momentum buffer take the step

    c = (H + lam I) z + d2 L / dw dlambda    (for the weight decay: ... + w)
    b = mu b + c,   z = z - lr b             (Nesterov's: z - lr (c + mu b))

along with the weights; each number costs a product with H, and twice the memory of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD

from automl_algorithms.weight_sharing._update import decays, dot, gradients, hessian, norm
from automl_algorithms.weight_sharing.search import Batch, Diverged
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError

Source = Callable[[list[Tensor]], list[Tensor]]
"""d2 L / dw dlambda, given the gradient of L."""


class Tangents:
    """Of some numbers, by index.

    Args:
        net: whose program trains by SGD.
        indices: of the numbers.

    Attributes:
        of: z of each.

    Raises:
        UserError: the optimiser is another one.
    """

    def __init__(self, net: Supernet, indices: list[int]) -> None:
        kind = type(net.program.optimizer)
        if kind is not SGD:
            raise UserError(
                f"the steps of {kind.__name__} cannot be unrolled, only those of SGD",
                path="algorithm.method",
                hint="method: neumann or cg",
            )
        self.net, self.indices = net, indices
        self.weights = list(net.model.parameters())
        self.restart()

    def restart(self) -> None:
        """What was before does not count."""
        self.of = {i: [torch.zeros_like(w) for w in self.weights] for i in self.indices}
        self._buffers = {i: [torch.zeros_like(w) for w in self.weights] for i in self.indices}

    def step(self, batch: Batch, sources: Mapping[int, Source]) -> float:
        """A step of the weights and of their tangents; the loss.

        Raises:
            Diverged: as `SupernetSearch.differentiate`.
        """
        program = self.net.program
        program.model.train()
        loss = program.loss(batch)
        gradient = gradients(loss, self.weights, again=True)
        value: float = loss.item()
        size = norm([g.detach() for g in gradient])
        if not math.isfinite(value) or not math.isfinite(size):
            raise Diverged(f"loss {value:.4g}, norm of its gradient {size:.4g}")
        product = hessian(gradient, self.weights, decays(program.optimizer))
        plain = [g.detach() for g in gradient]
        moved = {}
        for index in self.indices:
            own = sources[index](plain)
            moved[index] = [h + s for h, s in zip(product(self.of[index]), own, strict=True)]
        for weight, each in zip(self.weights, plain, strict=True):
            weight.grad = each
        self._advance(moved)
        program.optimizer.step()
        return value

    @torch.no_grad()
    def _advance(self, moved: Mapping[int, list[Tensor]]) -> None:
        groups = self.net.program.optimizer.param_groups
        group_of = {weight: group for group in groups for weight in group["params"]}
        for index, changes in moved.items():
            tangents, buffers = self.of[index], self._buffers[index]
            for weight, change, z, b in zip(self.weights, changes, tangents, buffers, strict=True):
                group = group_of[weight]
                mu = group["momentum"]
                known = self.net.program.optimizer.state[weight].get("momentum_buffer") is not None
                b.mul_(mu).add_(change, alpha=1 - group["dampening"] if known and mu else 1.0)
                z.sub_(group["lr"] * (change + mu * b if group["nesterov"] else b))

    def along(self, v: list[Tensor]) -> dict[int, float]:
        """v . z of each."""
        return {index: dot(v, z) for index, z in self.of.items()}

    def state_dict(self) -> dict[str, Any]:
        """All tangents."""
        return {"of": self.of, "buffers": self._buffers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.of, self._buffers = state["of"], state["buffers"]
