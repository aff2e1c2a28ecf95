"""Optimisers as data: hyperparameters now, parameters when the model exists.

`SGD(lr=0.1)(model.parameters())` is the `torch.optim.SGD` that it says; the names of the
hyperparameters and their meaning are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import nn, optim


@dataclass(frozen=True)
@register
class SGD:
    """Stochastic gradient descent, with momentum when it is given."""

    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __call__(self, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
        """The optimiser of these parameters."""
        from torch import optim

        return optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


@dataclass(frozen=True)
@register
class Adam:
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __call__(self, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
        """The optimiser of these parameters."""
        from torch import optim

        return optim.Adam(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


@dataclass(frozen=True)
@register
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __call__(self, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
        """The optimiser of these parameters."""
        from torch import optim

        return optim.AdamW(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


@dataclass(frozen=True)
@register
class RMSProp:
    """RMSProp (Tieleman and Hinton 2012); `decay` is PyTorch's `alpha`."""

    lr: float = 0.01
    decay: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __call__(self, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
        """The optimiser of these parameters."""
        from torch import optim

        return optim.RMSprop(
            parameters,
            lr=self.lr,
            alpha=self.decay,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
