"""Regularisers by implicit gradients: where the weights would end, differentiated by lambda.

With w*(lambda) the minimum of the training loss L_T(w, lambda), H = d2 L_T / dw2 there,

    dL_V(w*) / dlambda = -p . d2 L_T / dw dlambda,   H p = dL_V / dw

(Larsen et al. 1996; Lorraine et al. 2020, arXiv 1911.02590). One step of training tells next to
nothing of a weight decay; this tells what it does in the long run. The present weights stand for
w*, batches for the losses, and H p = v is solved by some products with H. The weight decay adds
lambda / 2 |w|^2 to L_T, so that its derivative is -p . w; that of AdamW counts as if it did, too.

    cg          conjugate gradients
    neumann     alpha sum_{k=0..steps} (I - alpha H)^k v; with no steps it is T1-T2 (Luketina et al.
                2016, arXiv 1511.06727), what one step does
    unrolled    the exact derivative of the last `steps` steps of SGD, in forward mode (Franceschi
                et al. 2017, arXiv 1703.01785)

The logarithms of the hyperparameters (for linear scales, they themselves) descend by Adam while
the training goes on. Lists of numbers are ranges between their ends; the record has the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from automl_algorithms.contract import Capabilities, algorithm
from automl_algorithms.weight_sharing._dials import Dials
from automl_algorithms.weight_sharing._hyperparameters import farther
from automl_algorithms.weight_sharing._inverse import (
    Vector,
    conjugate_gradient,
    largest,
    neumann,
)
from automl_algorithms.weight_sharing._numbers import hand
from automl_algorithms.weight_sharing._presets import one_of
from automl_algorithms.weight_sharing._tangents import Tangents
from automl_algorithms.weight_sharing._update import (
    decays,
    dot,
    gradients,
    hessian,
    judged,
    undisturbed,
)
from automl_algorithms.weight_sharing.search import Batch, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.errors import UserError

FIRST = 10  # rounds of the power method, when nothing is known of H; later one each time


@algorithm
class ImplicitGradients(Dials):
    """Weight decay, label smoothing and the strength of augmentations, while a network trains.

    Args:
        method: how H^-1 v is found.
        steps: of that method: products with H, or unrolled steps. Those of the default, none, found
            the best weight decay of a network on noisy labels as surely as more did.
        every: the regularisers move in each so manieth step.
        lr: of their coordinates, by Adam.
        delay: share of the training in which they rest: at first, every regulariser is in the way.
        clip: norm that a gradient of the weights may have; None for any.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"weight_decay", "augmentation"})
    capabilities = Capabilities(continuous=True, conditional=False, groups=False)
    roles: ClassVar = {"decay": "a weight decay", "loss": "a number in the training loss"}

    def __init__(
        self,
        *,
        method: Literal["neumann", "cg", "unrolled"] = "neumann",
        steps: int = 0,
        every: int = 2,
        lr: float = 0.2,
        delay: float = 0.5,
        clip: float | None = None,
    ) -> None:
        one_of("method", method, ("cg", "neumann", "unrolled"))
        least = {"cg": 1, "neumann": 0, "unrolled": 1}[method]
        if steps < least:
            raise UserError(f"steps must be at least {least} for {method}, got {steps}")
        if every < 1:
            raise UserError(f"every must be at least 1, got {every}")
        if method == "unrolled" and steps > every:
            raise UserError(f"{steps} steps cannot be unrolled in every {every}")
        if not 0 <= delay < 1:
            raise UserError(f"delay must be from 0 to less than 1, got {delay:g}")
        self.method, self.steps, self.every = method, steps, every
        self.lr, self.delay, self.clip = lr, delay, clip

    def setup(self, net: Supernet, task: Task) -> None:
        """Raises `UserError` for what is no regulariser of the training loss."""
        super().setup(net, task)
        self.coordinates = torch.tensor(
            [number.coordinate(self.values[i]) for i, number in self.numbers.items()],
            dtype=torch.float64,
        )
        self.adam = torch.optim.Adam([self.coordinates], self.lr)
        self.weights = list(net.model.parameters())
        self.steepest: list[Tensor] = []  # the eigenvector of H's largest eigenvalue
        unrolled = self.method == "unrolled"
        self.tangents = Tangents(net, list(self.numbers)) if unrolled else None

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights; then, if it is time, the regularisers."""
        left = self.every - at.step % self.every  # steps until it is time, this one included
        if self.tangents is None or left > self.steps:
            loss = self.train_weights(train)
        else:
            loss = self._unroll(self.tangents, train)
        seen = {self.names[i]: value for i, value in self.values.items()}
        if left > 1 or at.progress < self.delay:
            return {"loss": loss, **seen}
        v = self._target(valid())
        if self.tangents is None:
            found = self._implicit(v, train)
        else:
            found = self.tangents.along(v)
            self.tangents.restart()
        self._descend(found)
        return {"loss": loss, **seen}

    def _implicit(self, v: Vector, train: Batch) -> dict[int, float]:
        """-H^-1 v . d2 L_T / dw dlambda, of each number."""
        in_loss = any(part.role == "loss" for part in self.parts.values())
        with judged(self.net.model):
            gradient: list[Tensor] = []
            if self.steps or in_loss:
                loss = self.net.program.loss(train)
                gradient = gradients(loss, self.weights, again=self.steps > 0)
            p = self._solved(v, gradient)
            plain = [g.detach() for g in gradient]
            return {
                i: -dot(p, self._mixed(i, plain, self._elsewhere(i, train))) for i in self.numbers
            }

    def _solved(self, v: Vector, gradient: list[Tensor]) -> list[Tensor]:
        """H^-1 v, as good as it gets; H is the derivative of the gradient."""
        if not self.steps:
            return list(v)  # times alpha, which is of no account to Adam
        product = hessian(gradient, self.weights, decays(self.net.program.optimizer))
        if self.method == "cg":
            return conjugate_gradient(product, v, self.steps)
        rounds = 1 if self.steepest else FIRST
        size, self.steepest = largest(product, self.steepest or v, rounds)
        return neumann(product, v, self.steps, 0.5 / size if size else 1.0)

    def _unroll(self, tangents: Tangents, train: Batch) -> float:
        self.net.model.train()
        others = {index: self._elsewhere(index, train) for index in self.numbers}

        def source(index: int) -> Callable[[list[Tensor]], list[Tensor]]:
            return lambda gradient: self._mixed(index, gradient, others[index])

        return tangents.step(train, {index: source(index) for index in self.numbers})

    def _elsewhere(self, index: int, train: Batch) -> list[Tensor]:
        """The gradient of the training loss with another value of a number in it."""
        if self.parts[index].role == "decay":
            return []
        other = farther(self.numbers[index], self.values[index])
        hand(self.net, self.start, {**self.values, index: other})
        with undisturbed(self.net.model):
            found = gradients(self.net.program.loss(train), self.weights)
        hand(self.net, self.start, self.values)
        return found

    def _mixed(self, index: int, gradient: list[Tensor], other: list[Tensor]) -> list[Tensor]:
        """d2 L_T / dw dlambda; by a difference where L_T need not be linear in lambda.

        Args:
            gradient: of the loss without weight decay, with the numbers as they are.
            other: of `_elsewhere`.
        """
        part, number, value = self.parts[index], self.numbers[index], self.values[index]
        if part.role == "decay":
            groups = zip(self.net.program.optimizer.param_groups, part.slopes, strict=True)
            slope = {weight: s for group, s in groups for weight in group["params"]}
            return [slope.get(w, 0.0) * w.detach() for w in self.weights]
        span = farther(number, value) - value
        return [(o - g) / span for o, g in zip(other, gradient, strict=True)]

    def _target(self, batch: Batch) -> list[Tensor]:
        """The gradient of the validation loss, which nothing regularises."""
        least = {
            i: min(n.low, n.high, key=abs)
            for i, n in self.numbers.items()
            if self.parts[i].role == "loss"
        }
        if least:
            hand(self.net, self.start, {**self.values, **least})
        with judged(self.net.model):
            found = gradients(self.net.program.loss(batch), self.weights)
        if least:
            hand(self.net, self.start, self.values)
        return found

    def _descend(self, derivatives: Mapping[int, float]) -> None:
        """A step of Adam in the coordinates; none when something is not finite."""
        slopes = [
            derivatives[i] * number.slope(float(c))
            for (i, number), c in zip(self.numbers.items(), self.coordinates, strict=True)
        ]
        if not all(map(math.isfinite, slopes)):
            return
        self.coordinates.grad = torch.tensor(slopes, dtype=torch.float64)
        self.adam.step()
        ends = [number.ends for number in self.numbers.values()]
        low, high = (torch.tensor(end, dtype=torch.float64) for end in zip(*ends, strict=True))
        self.coordinates.clamp_(low, high)
        placed = zip(self.numbers.items(), self.coordinates.tolist(), strict=True)
        self.turn({i: number.value(c) for (i, number), c in placed})

    def state_dict(self) -> dict[str, Any]:
        """Where the numbers are, and how they move."""
        return super().state_dict() | {
            "coordinates": self.coordinates,
            "adam": self.adam.state_dict(),
            "steepest": self.steepest,
            "tangents": self.tangents and self.tangents.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.coordinates.copy_(state["coordinates"])
        self.adam.load_state_dict(state["adam"])
        self.steepest = state["steepest"]
        if self.tangents is not None:
            self.tangents.load_state_dict(state["tangents"])
