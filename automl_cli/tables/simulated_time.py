"""Seconds of training and validation, where a source does not hold them.

The archive measured one number per architecture: what an image takes. In the topology space an
epoch is 25,000 images of cifar10 (the other half of the training set validates), 50,000 of
cifar100 and 151,700 of ImageNet16-120, and the times of the data sets stand exactly in these
proportions; so do those of a validation pass over 25,000, 5,000 and 3,000 images.

Below are the measurements of the three architectures (0, 11 and 284 of either space) that
NATS-Bench publishes as samples of its archive, and straight lines fitted to them.
"""

from __future__ import annotations

from functools import cache
from statistics import linear_regression

from automl_cli.tables.architectures import OPERATIONS, Data

TRAINING_IMAGES: dict[Data, int] = {
    "cifar10": 25_000,
    "cifar100": 50_000,
    "ImageNet16-120": 151_700,
}
VALIDATION_IMAGES: dict[Data, int] = {"cifar10": 25_000, "cifar100": 5_000, "ImageNet16-120": 3_000}

# Topology: (training, validation) in s, each for 25,000 images of cifar10.
_TOPOLOGY = [(7.221, 2.549), (12.462, 4.151), (4.876, 2.389)]
_SLOPE, _INTERCEPT = linear_regression(*zip(*_TOPOLOGY, strict=True))

# Size: MFLOPs of the samples on images of 32 x 32; those of 16 x 16 need a quarter. Then, by data
# set, (one epoch of training, one validation pass) in s.
_SIZE_MFLOPS = [4.481114, 6.840650, 21.827994]
_SIZE: dict[Data, list[tuple[float, float]]] = {
    "cifar10": [(3.548, 1.219), (2.940, 1.363), (3.347, 1.465)],
    "cifar100": [(5.135, 0.376), (5.537, 0.368), (6.127, 0.401)],
    "ImageNet16-120": [(9.793, 0.244), (11.203, 0.250), (11.937, 0.270)],
}

# MFLOPs of the skeleton, and of one edge of all 15 cells with a convolution of 1 x 1 or 3 x 3.
_TOPOLOGY_MFLOPS: dict[Data, tuple[float, float, float]] = {
    "cifar10": (7.78305, 3.93216, 35.38944),
    "cifar100": (7.78890, 3.93216, 35.38944),
    "ImageNet16-120": (1.95340, 0.98304, 8.84736),
}


def topology_validation_seconds(data: Data, epoch_seconds: float) -> float:
    """One validation pass of a topology whose epochs of training take so long.

    The line is 1.03 s + 0.245 per second of training, in units of 25,000 images.
    """
    training = epoch_seconds * 25_000 / TRAINING_IMAGES[data]
    return (_INTERCEPT + _SLOPE * training) * VALIDATION_IMAGES[data] / 25_000


def topology_mflops(data: Data, operations: list[str]) -> float:
    """Millions of multiply-adds of a network with this cell; equals the archive's number."""
    base, small, large = _TOPOLOGY_MFLOPS[data]
    return base + small * operations.count(OPERATIONS[2]) + large * operations.count(OPERATIONS[3])


def size_seconds(data: Data, mflops: float) -> tuple[float, float]:
    """Estimate of (one epoch of training, one validation pass) in the size space, in s.

    Rough: the samples have 4 to 22 MFLOPs on CIFAR where the space goes up to 274, and networks
    so small are not limited by arithmetic. Good enough to weigh one training against another,
    not to be compared with published times.
    """
    (a, b), (c, d) = _size_lines(data)
    return a * mflops + b, c * mflops + d


@cache
def _size_lines(data: Data) -> tuple[tuple[float, float], tuple[float, float]]:
    """(slope, intercept) over MFLOPs of training and of validation."""
    scale = 0.25 if data == "ImageNet16-120" else 1.0
    mflops = [scale * m for m in _SIZE_MFLOPS]
    training, validation = zip(*_SIZE[data], strict=True)
    a, b = linear_regression(mflops, training), linear_regression(mflops, validation)
    return (a.slope, a.intercept), (b.slope, b.intercept)
