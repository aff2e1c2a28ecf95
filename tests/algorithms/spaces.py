"""Spaces and a reward that the tests of all algorithms share. Programs are plain mappings."""

from __future__ import annotations

import math
from typing import Any

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.decisions import Decisions
from automl_spaces.space import Space


def finite() -> dict[str, Any]:
    """3 * 2 = 6 programs."""
    return {"kernel": oneof([3, 5, 7]), "op": oneof(["conv", "pool"])}


def cells() -> dict[str, Any]:
    """5^6 = 15,625 programs: the shape of NATS-Bench's topology space."""
    ops = ["none", "skip", "conv1", "conv3", "pool"]
    return {"edges": [oneof(ops, default="skip") for _ in range(6)]}


def numbers() -> dict[str, Any]:
    """Numbers only: continuous, log, reverse log, gridded and whole."""
    return {
        "lr": floatv(1e-5, 1e-1, scale="log"),
        "decay": floatv(0.0, 1.0),
        "momentum": floatv(0.5, 0.999, scale="reverse_log"),
        "drop": floatv(0.0, 0.5, step=0.1),
        "units": intv(8, 512, scale="log"),
        "depth": intv(1, 5),
    }


def mixed() -> dict[str, Any]:
    """Every kind of point: conditional ones, a sorted subset and a permutation among them."""
    return {
        "kernel": oneof([3, 5, 7]),
        "fixed": oneof(["only"]),
        "optimizer": oneof(
            {
                "adam": {"lr": floatv(1e-5, 1e-1, scale="log"), "steps": intv(1, 3)},
                "sgd": {"lr": floatv(1e-3, 1.0, scale="log"), "nesterov": oneof([True, False])},
            }
        ),
        "augment": manyof(2, ["flip", "crop", "cutout", "jitter"], sorted=True),
        "order": permutate(["norm", "act", "conv"]),
        "width": floatv(0.25, 2.0),
    }


SPACES = {f.__name__: f for f in (finite, cells, numbers, mixed)}


def space_of(name: str) -> Space:
    """A fresh compiled space."""
    return Space.compile(SPACES[name]())


def mobilenet_like() -> Space:
    """39 independent decisions, the size of a MobileNet space: 3e12 programs and more."""
    kernels = [oneof([3, 5, 7]) for _ in range(17)]
    expansions = [oneof([3, 6]) for _ in range(17)]
    rest = [oneof([0.25, 0.5, 1.0]) for _ in range(5)]
    return Space.compile({"kernels": kernels, "expansions": expansions, "rest": rest})


def reward_of(decisions: Decisions) -> float:
    """A smooth reward in [-1, 0] on any space: every active decision has a best place.

    Each decision's place in [0, 1] should be 0.7; the reward is minus the mean of squares.
    """
    total, active = 0.0, 0
    for point, value in zip(decisions.space.points, decisions.values, strict=True):
        if value is not None:
            total += (point.to_unit(value) - 0.7) ** 2
            active += 1
    return -total / active if active else -math.inf
