"""Random search draws every decision on its own scale."""

from __future__ import annotations

import random

import pytest

from automl_algorithms.multi_trial.random import Random
from tests.algorithms.driving import ONE
from tests.algorithms.spaces import space_of


def test_log_scales_are_respected() -> None:
    """Of log-uniform draws from [1e-5, 1e-1], 3/4 lie below 1e-2 (in PyGlove 10 %)."""
    algorithm = Random()
    algorithm.setup(space_of("numbers"), ONE, 0)
    rng = random.Random(0)
    draws = [algorithm.propose(i, rng)["lr"] for i in range(4000)]
    assert sum(lr < 1e-2 for lr in draws) / 4000 == pytest.approx(0.75, abs=0.02)


def test_candidates_are_equally_likely() -> None:
    """Each of five operations stands on a fifth of the edges."""
    algorithm = Random()
    algorithm.setup(space_of("cells"), ONE, 0)
    rng = random.Random(1)
    ops = [v for i in range(2000) for v in algorithm.propose(i, rng).values]
    assert all(ops.count(op) / len(ops) == pytest.approx(0.2, abs=0.01) for op in range(5))
