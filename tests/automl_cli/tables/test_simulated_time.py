"""Fitted times and counted FLOPs."""

from __future__ import annotations

import pytest

from automl_cli.tables.architectures import OPERATIONS
from automl_cli.tables.simulated_time import (
    size_seconds,
    topology_mflops,
    topology_validation_seconds,
)


def test_a_validation_pass_scales_with_its_images() -> None:
    """A network takes a fifth of the time for cifar100's 5,000, and less for ImageNet's 3,000."""
    cifar10 = topology_validation_seconds("cifar10", 10.0)
    assert cifar10 == pytest.approx(1.03 + 0.245 * 10, abs=0.02)
    assert topology_validation_seconds("cifar100", 20.0) == pytest.approx(cifar10 / 5)
    assert topology_validation_seconds("ImageNet16-120", 60.68) == pytest.approx(cifar10 * 3 / 25)


def test_only_convolutions_count() -> None:
    """Pooling, skips and cut edges are free; a 3 x 3 convolution is nine 1 x 1."""
    none, skip, small, large, pool = ([name] * 6 for name in OPERATIONS)
    bare = topology_mflops("cifar10", none)
    assert topology_mflops("cifar10", skip) == topology_mflops("cifar10", pool) == bare
    extra = topology_mflops("cifar10", small) - bare
    assert topology_mflops("cifar10", large) - bare == pytest.approx(9 * extra)


def test_wider_networks_take_longer() -> None:
    """The lines of the size space rise, for every data set."""
    for data in ("cifar10", "cifar100", "ImageNet16-120"):
        small, large = size_seconds(data, 1.0), size_seconds(data, 60.0)
        assert all(0 < a < b for a, b in zip(small, large, strict=True))
