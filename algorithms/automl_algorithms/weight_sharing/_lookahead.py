"""The second-order gradient of DARTS: how the logits act on the weights after their next step.

Liu et al. 2019 (arXiv 1806.09055), equations 6 to 8, with the momentum of the authors' code:

    w' = w - xi (mu buf + grad_w L_train(w, a) + lam w)
    grad_a L_valid(w', a) - xi (grad_a L_train(w + R v, a) - grad_a L_train(w - R v, a)) / 2 R
    v = grad_w' L_valid(w', a),  R = 0.01 / |v|

xi, mu and lam are the learning rate, the momentum and the weight decay of SGD, and buf is its
momentum buffer. Momentum is plain here even where the steps themselves are Nesterov's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD

Loss = Callable[[], Tensor]
RADIUS = 0.01  # of the step in each direction, as the norm of all weights together


def lookahead_gradient(
    model: nn.Module, optimizer: SGD, train: Loss, valid: Loss, alphas: Sequence[Tensor]
) -> tuple[float, list[Tensor]]:
    """The validation loss after a step of the weights, and its gradient.

    The model is put back as it was, bit for bit, buffers included. Its gradients stay.

    Args:
        train: the loss on the training batch, computed anew at each call.
        valid: the same on the validation batch.
        alphas: what to differentiate by.

    Returns:
        The loss, and a tensor for each of `alphas`.
    """
    groups = optimizer.param_groups
    rates = {w: g["lr"] for g in groups for w in g["params"] if w.requires_grad}
    weights = list(rates)
    with _restored(model):
        _step(optimizer, dict(zip(weights, _gradients(train(), weights), strict=True)))
        loss = valid()
        found = _gradients(loss, [*alphas, *weights])
    direct, changes = found[: len(alphas)], found[len(alphas) :]
    # The rate belongs to v, for the groups of an optimiser may differ in it.
    scaled = [rates[w] * v for w, v in zip(weights, changes, strict=True)]
    norm = float(torch.nn.utils.get_total_norm(scaled))
    if norm == 0.0:
        return loss.item(), direct
    ends = []
    for radius in (RADIUS / norm, -RADIUS / norm):
        with _restored(model), _same_noise(weights):
            with torch.no_grad():
                for weight, change in zip(weights, scaled, strict=True):
                    weight.add_(change, alpha=radius)
            ends.append(_gradients(train(), alphas))
    implicit = ((p - m) / (2 * RADIUS / norm) for p, m in zip(*ends, strict=True))
    return loss.item(), [d - i for d, i in zip(direct, implicit, strict=True)]


def _gradients(loss: Tensor, by: Sequence[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, by, allow_unused=True, materialize_grads=True))


@torch.no_grad()
def _step(optimizer: SGD, gradients: dict[Tensor, Tensor]) -> None:
    """A step of SGD with plain momentum; the state of the optimiser stays."""
    for group in optimizer.param_groups:
        for weight in filter(gradients.__contains__, group["params"]):
            change = gradients[weight] + group["weight_decay"] * weight
            buffer = optimizer.state[weight].get("momentum_buffer") if group["momentum"] else None
            if buffer is not None:
                change += group["momentum"] * buffer
            weight.sub_(group["lr"] * change)


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Put weights and buffers back in the end."""
    tensors = [*model.parameters(), *model.buffers()]
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)


@contextmanager
def _same_noise(weights: Sequence[Tensor]) -> Iterator[None]:
    """Begin with the noise (dropout) that is next, and leave it to be next again.

    A difference of two gradients with noise of their own would be nothing but noise.
    """
    devices = {weight.device.index for weight in weights if weight.is_cuda}
    with torch.random.fork_rng(devices=sorted(devices)):
        yield
