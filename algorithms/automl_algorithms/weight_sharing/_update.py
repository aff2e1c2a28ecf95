"""What a loss becomes by the next step of the optimiser, to first order, without taking it.

With W' the weights after the step and v the gradient of the validation loss there, a
hyperparameter h of the optimiser has

    dL(W') / dh = v . dW' / dh

A learning rate enters W' linearly in every optimiser of PyTorch, and a weight decay in SGD and
AdamW: there a second step of the optimiser, with another value, gives the derivative exactly, and
for gradient descent it is -v . g (Baydin et al. 2018, arXiv 1703.04782). Nothing but the optimiser
itself is asked, so it works for all of them. A step treats each weight by itself; so the matrix
J = dW' / dg of derivatives by the training gradient g is diagonal, and J v is the difference of
two steps, too. By it all else acts that the training loss depends on:

    dL(W') / da = J v . d2 L_train / dW da = d/da [L_train(W + r J v) - L_train(W - r J v)] / 2 r
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from automl_algorithms.weight_sharing._temporary import Temporary
from automl_algorithms.weight_sharing.norms import batch_statistics
from automl_algorithms.weight_sharing.supernet import Supernet

RADIUS = 0.01  # of the step to each side, as the norm of all weights together
SHARE = 0.01  # of the norm of the gradient: what is added to it to differentiate a step

Gradient = Mapping[nn.Parameter, Tensor]


def dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """The scalar product of two lists of tensors; its sum is in float64."""
    with torch.no_grad():
        return sum(float((x * y).sum(dtype=torch.float64)) for x, y in zip(a, b, strict=True))


def norm(tensors: Sequence[Tensor]) -> float:
    """Of all entries together."""
    return float(torch.nn.utils.get_total_norm(list(tensors)))


def gradients(loss: Tensor, by: Sequence[Tensor], *, again: bool = False) -> list[Tensor]:
    """Of a loss, zeros for what has no part in it.

    Args:
        again: these gradients are to be differentiated themselves.
    """
    return list(
        torch.autograd.grad(loss, by, create_graph=again, allow_unused=True, materialize_grads=True)
    )


def decays(optimizer: Optimizer, *, coupled: bool = False) -> dict[nn.Parameter, float]:
    """The weight decay of each weight that has one.

    Args:
        coupled: only where it is added to the gradient, as in SGD, and not in AdamW.
    """
    return {
        weight: group["weight_decay"]
        for group in optimizer.param_groups
        if group.get("weight_decay") and not (coupled and group.get("decoupled_weight_decay"))
        for weight in group["params"]
    }


def hessian(
    gradient: Sequence[Tensor], weights: Sequence[nn.Parameter], decay: Mapping[nn.Parameter, float]
) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """The product of a vector with H, the second derivative of a loss with its weight decay.

    Args:
        gradient: of the loss without it, of `gradients(..., again=True)`.
        decay: of `decays`.
    """
    parts = [(i, g) for i, g in enumerate(gradient) if g.requires_grad]

    def product(vector: Sequence[Tensor]) -> list[Tensor]:
        found = [torch.zeros_like(w) for w in weights]
        if parts:
            found = list(
                torch.autograd.grad(
                    [g for _, g in parts],
                    weights,
                    [vector[i] for i, _ in parts],
                    retain_graph=True,
                    allow_unused=True,
                    materialize_grads=True,
                )
            )
        zipped = zip(found, vector, weights, strict=True)
        return [f + decay[w] * x if w in decay else f for f, x, w in zipped]

    return product


def outcome(net: Supernet, v: Gradient) -> float:
    """v . (W' - W) for the optimiser's step as it is set; infinite where it ruins the weights."""
    before = [weight.detach() for weight in v]
    with Temporary(net.model, net.program.optimizer) as temporary:
        net.program.optimizer.step()
        if not temporary.sane():
            return math.inf
        return dot(list(v.values()), [w - b for w, b in zip(v, before, strict=True)])


def through(net: Supernet, v: Gradient) -> Gradient:
    """J v, for the optimiser's step as it is set. The gradients of the weights stay."""
    own = {weight: weight.grad for weight in v}
    size = norm(list(v.values()))
    epsilon = SHARE * norm([g for g in own.values() if g is not None]) / max(size, 1e-30)
    if not epsilon:
        return {weight: torch.zeros_like(weight) for weight in v}
    with Temporary(net.model, net.program.optimizer):
        net.program.optimizer.step()
        plain = [weight.data for weight in v]
    try:
        for weight, direction in v.items():
            if weight.grad is not None:
                weight.grad = weight.grad + epsilon * direction
        with Temporary(net.model, net.program.optimizer):
            net.program.optimizer.step()
            return {
                weight: (weight.data - each) / epsilon
                for weight, each in zip(v, plain, strict=True)
            }
    finally:
        for weight, gradient in own.items():
            weight.grad = gradient


@contextmanager
def shifted(direction: Gradient, by: float) -> Iterator[None]:
    """Meanwhile the weights are elsewhere; then they are, bit for bit, what they were."""
    originals = {weight: weight.data for weight in direction}
    try:
        with torch.no_grad():
            for weight, change in direction.items():
                weight.data = weight.data + by * change
        yield
    finally:
        for weight, data in originals.items():
            weight.data = data


@contextmanager
def judged(model: nn.Module) -> Iterator[None]:
    """Meanwhile the model is in evaluation, normalised by the batch, and leaves its buffers."""
    training = model.training
    model.eval()
    try:
        with batch_statistics(model):
            yield
    finally:
        model.train(training)


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Meanwhile passes of a training leave buffers and the generator of dropout's noise alone.

    Each begins with the noise that would be next.
    """
    buffers = [(buffer, buffer.data) for buffer in model.buffers()]
    devices = {p.device.index for p in model.parameters() if p.is_cuda}
    try:
        for buffer, data in buffers:
            buffer.data = data.clone()
        with torch.random.fork_rng(devices=sorted(devices)):
            yield
    finally:
        for buffer, data in buffers:
            buffer.data = data


def slope_along(net: Supernet, direction: Gradient, loss: Callable[[], Tensor]) -> float:
    """The derivative of a training loss in a direction of the weights, by a central difference."""
    radius = _radius(direction)
    ends = []
    with torch.no_grad():
        for by in (radius, -radius):
            with undisturbed(net.model), shifted(direction, by):
                ends.append(float(loss()))
    return (ends[0] - ends[1]) / (2 * radius)


def gradient_along(
    net: Supernet, direction: Gradient, loss: Callable[[], Tensor], by: Sequence[Tensor]
) -> list[Tensor]:
    """The gradient of that derivative by what the loss depends on."""
    radius = _radius(direction)
    ends = []
    for sign in (radius, -radius):
        with undisturbed(net.model), shifted(direction, sign):
            ends.append(gradients(loss(), by))
    return [(a - b) / (2 * radius) for a, b in zip(*ends, strict=True)]


def _radius(direction: Gradient) -> float:
    return RADIUS / max(norm(list(direction.values())), 1e-30)
