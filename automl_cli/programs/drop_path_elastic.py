"""Rates of dropout and drop path that are a choice: one network, whose gate says the rate.

Nothing depends on such a rate but the noise of a training step, so there is nothing to share and
nothing to copy. On a path the noise is that of the stand-alone module. A mixture of rates is
taken over the *same* uniform noise: with weights w and rates p an entry is multiplied by

    sum_k w_k [u >= p_k] / (1 - p_k),

which is the stand-alone module for weights of 0 and 1, leaves the expectation alone, and is
differentiable in the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from automl_algorithms.weight_sharing.elastic import Build, elastic_rule
from automl_algorithms.weight_sharing.slicing import Elastic, elastic, terms
from automl_cli.programs.drop_path import DropPath, check_rate, drop_path, sample_noise
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol

Rate = float | Elastic[float]


class ElasticDropPath(nn.Module):
    """`DropPath` of an elastic rate.

    Args:
        rate: a number or an elastic number.

    Raises:
        ValueError: a rate that the stand-alone module refuses.
    """

    training_only: ClassVar[bool] = True

    def __init__(self, rate: Rate) -> None:
        super().__init__()
        _check(rate)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, ...] -> the same."""
        if not self.training:
            return x
        rates, weights, _ = terms(self.rate)
        if weights is None:
            return drop_path(x, rates[0])
        return x * _kept(sample_noise(x), rates, weights.to(x))


class ElasticDropout(nn.Module):
    """`torch.nn.Dropout` of an elastic rate.

    Args:
        rate: a number or an elastic number, less than 1.
    """

    training_only: ClassVar[bool] = True

    def __init__(self, rate: Rate) -> None:
        super().__init__()
        _check(rate)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        if not self.training:
            return x
        rates, weights, _ = terms(self.rate)
        if weights is None:
            return dropout(x, rates[0])
        return x * _kept(torch.rand(x.shape, device=x.device), rates, weights.to(x))


def replace_dropout(model: nn.Module, rate: Rate) -> None:
    """Give every `torch.nn.Dropout` below a module an elastic rate."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Dropout):
                setattr(parent, name, ElasticDropout(rate))


def _kept(noise: Tensor, rates: list[float], weights: Tensor) -> Tensor:
    """What entries are multiplied by, in the shape of the noise."""
    factors = [w * (noise >= p).to(w) / (1 - p) for w, p in zip(weights, rates, strict=True)]
    return torch.stack(factors).sum(0)


def _check(rate: Rate) -> None:
    for each in rate.values if isinstance(rate, Elastic) else (rate,):
        check_rate(each)


@elastic_rule(DropPath, "rate")
def shared_drop_path(node: Symbol, build: Build) -> Any:
    """One module for all rates.

    Raises:
        UserError: a rate that the stand-alone module refuses.
    """
    try:
        return ElasticDropPath(elastic(node.get("rate")))
    except ValueError as error:
        raise UserError(str(error), node.mark) from None
