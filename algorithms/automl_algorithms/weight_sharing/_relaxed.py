"""Relaxed samples of categorical distributions: Gumbel noise and the temperature of it.

With independent g_k = -log(E_k), E_k ~ Exp(1), argmax_k(log p_k + g_k) is a sample of p, and
softmax((log p + g) / tau) is a differentiable one, the closer to one-hot the smaller tau is (Jang
et al. 2017, arXiv 1611.01144; Maddison et al. 2017, arXiv 1611.00712).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from automl_algorithms.weight_sharing.search import Moment
from automl_spaces.errors import UserError


def gumbel(size: int, generator: Generator) -> Tensor:
    """Noise of the standard Gumbel distribution, float32 [size]; always finite."""
    waits = torch.empty(size).exponential_(generator=generator)
    return -waits.clamp_min(torch.finfo(torch.float32).tiny).log()


def relaxed(logits: Tensor, tau: float, generator: Generator) -> Tensor:
    """A relaxed sample [size] of softmax(logits), differentiable in the logits [size].

    Its largest entry is a sample of softmax(logits), whatever tau is.
    """
    noise = gumbel(len(logits), generator)
    return ((logits.log_softmax(0) + noise) / tau).softmax(0)


def check_temperatures(tau: Sequence[float]) -> None:
    """See that an option is two temperatures; `UserError` if it is not."""
    if len(tau) != 2 or min(tau) <= 0:
        raise UserError(f"tau is the temperature at both ends, [10, 0.1], not {tau}")


def temperature(at: Moment, start: float, end: float) -> float:
    """Linear in epochs: `start` in the first, `end` in the last; `start` when there is but one."""
    return start + (end - start) * at.by_epoch
