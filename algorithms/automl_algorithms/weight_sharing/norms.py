"""Normalisation in a supernet's evaluation: by the batch, for running statistics fit no path.

They are averages over all the paths that were trained; so the searches of the field evaluate
with the statistics of the batch itself (TuNAS, Bender et al. 2020, section 4; NATS-Bench
likewise).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Meanwhile batch normalisation is by the batch in evaluation too; running means stay.

    A batch of one value per channel has no statistics: there PyTorch raises a `ValueError`.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    kept = [(m.momentum, m.training) for m in norms]
    handles = [m.register_forward_pre_hook(_train) for m in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for norm, (momentum, training) in zip(norms, kept, strict=True):
            norm.momentum, norm.training = momentum, training


def _train(norm: nn.Module, _: Any) -> None:
    norm.training = True  # the model's `eval()` inside of an evaluation came before
