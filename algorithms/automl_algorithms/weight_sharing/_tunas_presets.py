"""The named settings of TuNAS."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class Preset(NamedTuple):
    """A named setting; the fields are options of the search."""

    lr: float
    growth: float
    beta: float
    delay: float
    survey: float
    warmup: float
    resample: bool
    every: int
    samples: int
    batches: int
    momentum: float
    scale: float
    unidentified: Literal["static", "policy"]


PRESETS: Final = {
    # The best we measured on searches of some hundred steps.
    "default": Preset(
        lr=0.1,
        growth=1.0,
        beta=-1.5,
        delay=0.4,
        survey=0.8,
        warmup=0.2,
        resample=False,
        every=4,
        samples=4,
        batches=4,
        momentum=0.0,
        scale=0.0,
        unidentified="static",
    ),
    # The paper's for a batch of 4096; its code has beta -0.1 where the paper says -0.07.
    "paper": Preset(
        lr=4.8e-3,
        growth=10.0,
        beta=-0.1,
        delay=0.25,
        survey=0.25,
        warmup=0.25,
        resample=False,
        every=1,
        samples=1,
        batches=1,
        momentum=0.0,
        scale=0.0,
        unidentified="policy",
    ),
    # Masking and sampling in NATS-Bench's size space (Dong et al. 2021, arXiv 2009.00437).
    "nats": Preset(
        lr=3e-4,
        growth=1.0,
        beta=-0.1,
        delay=0.3,
        survey=0.3,
        warmup=0.3,
        resample=True,
        every=1,
        samples=1,
        batches=1,
        momentum=0.5,
        scale=1e-3,
        unidentified="policy",
    ),
}
