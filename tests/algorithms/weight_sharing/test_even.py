"""The most even policy that meets the targets of costs in the mean."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import pytest
import torch

from automl_algorithms.weight_sharing._even import SPREAD, even
from automl_algorithms.weight_sharing._targets import Shape
from automl_spaces.decisions import Decisions

from .bandit import bandit

PRICES = [[1.0, 2.0, 5.0], [4.0, 1.0, 1.5], [2.0, 2.0, 2.0], [0.5, 3.0, 1.0]]
MEAN = sum(sum(row) / 3 for row in PRICES)


def setting() -> tuple[dict[int, int], list[Decisions]]:
    """Sizes, and random records of a space with four decisions among three."""
    net = bandit([[0.0, 0.1, 0.2]] * 4)
    rng = random.Random(0)
    records = [net.space.sample(rng) for _ in range(256)]
    return {index: gate.size for index, gate in net.gates.items()}, records


def price(decisions: Decisions) -> Mapping[str, float]:
    """What a record costs: a sum; and how often its first candidates are taken."""
    places = [
        point.place(value)
        for point, value in zip(decisions.space.points, decisions.values, strict=True)
    ]
    total = sum(row[place] for row, place in zip(PRICES, places, strict=True))
    return {"price": total, "firsts": 1.0 + places.count(0)}


def mean(policy: Mapping[int, torch.Tensor]) -> float:
    """Of the prices."""
    rows = zip(PRICES, policy.values(), strict=True)
    return sum(float(torch.tensor(row) @ logits.softmax(0)) for row, logits in rows)


@pytest.mark.parametrize("target", [0.8 * MEAN, MEAN, 1.2 * MEAN])
@pytest.mark.parametrize("shape", ["absolute", "mnas"])
def test_the_mean_is_the_target_and_the_policy_is_of_the_exponential_family(
    target: float, shape: Shape
) -> None:
    """One multiplier of all prices: that is what makes the entropy the greatest."""
    sizes, records = setting()
    found = even(sizes, records, price, {"price": (target, shape)})
    assert mean(found) == pytest.approx(target, rel=0.01)
    slopes = [
        float(logits[i] - logits[0]) / (row[i] - row[0])
        for row, logits in zip(PRICES, found.values(), strict=True)
        for i in (1, 2)
        if row[i] != row[0]
    ]
    assert max(slopes) - min(slopes) < 0.01
    assert (sum(slopes) > 0.1) == (target > 1.1 * MEAN)
    assert (sum(slopes) < -0.1) == (target < 0.9 * MEAN)


@pytest.mark.parametrize("shape", ["hinge", "mnas_hard"])
def test_what_may_be_cheaper_is_not_made_dearer(shape: Shape) -> None:
    """Even policies are cheap enough, or are made so."""
    sizes, records = setting()
    free = even(sizes, records, price, {"price": (1.3 * MEAN, shape)})
    assert all(logits.abs().max() < 1e-6 for logits in free.values())
    held = even(sizes, records, price, {"price": (0.8 * MEAN, shape)})
    assert mean(held) == pytest.approx(0.8 * MEAN, rel=0.01)


def test_two_costs_are_met_together() -> None:
    """Although each moves the other."""
    sizes, records = setting()
    goals: dict[str, tuple[float, Shape]] = {
        "price": (0.9 * MEAN, "absolute"),
        "firsts": (2.0, "absolute"),
    }
    found = even(sizes, records, price, goals)
    assert mean(found) == pytest.approx(0.9 * MEAN, rel=0.02)
    firsts = sum(float(logits.softmax(0)[0]) for logits in found.values())
    assert 1 + firsts == pytest.approx(2.0, rel=0.02)


def test_no_candidate_is_given_up_for_a_target_out_of_reach() -> None:
    """It is as near as that allows."""
    sizes, records = setting()
    found = even(sizes, records, price, {"price": (0.01 * MEAN, "absolute")})
    spread = max(float(logits.max() - logits.min()) for logits in found.values())
    assert spread == pytest.approx(SPREAD, rel=1e-3)


def test_without_targets_or_known_costs_it_is_even() -> None:
    """A record that cannot be run says nothing of what others cost."""
    sizes, records = setting()
    assert not any(logits.any() for logits in even(sizes, records, price, {}).values())
    nothing = even(sizes, records, lambda _: {"price": math.inf}, {"price": (1.0, "absolute")})
    assert not any(logits.any() for logits in nothing.values())

    def some(decisions: Decisions) -> Mapping[str, float]:
        known = price(decisions)
        return known if known["price"] < 1.2 * MEAN else {"price": math.inf}

    found = even(sizes, records, some, {"price": (0.8 * MEAN, "absolute")})
    assert mean(found) == pytest.approx(0.8 * MEAN, rel=0.03)
