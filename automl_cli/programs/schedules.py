"""Learning-rate schedules as pure functions of the progress of a training."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "constant"]


def rate_factor(schedule: Schedule, progress: float, warmup: float) -> float:
    """What the learning rate is multiplied by.

    Args:
        schedule: "cosine" falls from 1 to 0 over the time after the warm-up (Loshchilov and
            Hutter 2017, equation 5, one cycle); "constant" stays at 1.
        progress: share of the whole training that is done, 0 to 1.
        warmup: share of the training over which the factor rises linearly from 0 to 1.
    """
    if progress < warmup:
        return progress / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
