"""Policies: gradients against finite differences, what is drawn, what a record is read as."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any, Literal

import numpy as np
import pytest

from automl_algorithms.multi_trial import _policies
from automl_algorithms.multi_trial._adam import Adam
from automl_algorithms.multi_trial._policies import Policy
from automl_algorithms.multi_trial._policies_heads import (
    Array,
    Choice,
    Distributions,
    Normal,
    middle,
)
from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.space import Space
from tests.algorithms.spaces import space_of

Continuous = Literal["gaussian", "bins"]
POLICIES = list(_policies.POLICIES)


def _grouped() -> Space:
    """Slots under each kind of constraint, one of them conditional."""
    return Space.compile(
        {
            "subset": manyof(2, list("abcd")),
            "sorted": manyof(3, list("abcde"), sorted=True),
            "multiset": manyof(2, list("abc"), distinct=False, sorted=True),
            "free": manyof(2, list("abc"), distinct=False),
            "maybe": oneof({"yes": permutate(list("abc")), "no": 0}),
        }
    )


SPACES = {"grouped": _grouped, **{n: lambda n=n: space_of(n) for n in ("mixed", "numbers")}}  # type: ignore[misc]


def _policy(space: Space, name: str, continuous: Continuous = "gaussian", bins: int = 4) -> Policy:
    """A policy with parameters that are far from where it starts."""
    made = _policies.make(name, space, continuous, bins, seed=1)
    drawn = np.random.default_rng(0).normal(0.0, 0.7, len(made.parameters))
    made.parameters[:] = drawn
    if name == "autoregressive":
        made.parameters[made.heads.outputs :] *= 2.0  # the hidden layer matters
    return made


def _slope(policy: Policy, batch: Any, measure: str) -> Array:
    outputs, pull = policy.forward(batch)
    drawn = Distributions(policy.heads, outputs, batch)
    return pull(drawn.log_prob_slope() if measure == "log_prob" else drawn.entropy_slope())


def _value(policy: Policy, batch: Any, measure: str) -> float:
    outputs, _ = policy.forward(batch)
    return float(getattr(Distributions(policy.heads, outputs, batch), measure)().sum())


@pytest.mark.parametrize("measure", ["log_prob", "entropy"])
@pytest.mark.parametrize("continuous", ["gaussian", "bins"])
@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("space_name", SPACES)
def test_gradients_against_finite_differences(
    space_name: str, name: str, continuous: Continuous, measure: str
) -> None:
    """Central differences agree for every parameter, over a batch of records."""
    space = SPACES[space_name]()
    policy = _policy(space, name, continuous)
    rng = random.Random(3)
    batch = policy.heads.read([space.sample(rng).values for _ in range(5)])
    slope, step = _slope(policy, batch, measure), 1e-5
    assert np.abs(slope).max() > 0.01
    chosen = random.Random(4).sample(range(len(slope)), min(len(slope), 150))
    for i in chosen:
        kept = policy.parameters[i]
        policy.parameters[i] = kept + step
        above = _value(policy, batch, measure)
        policy.parameters[i] = kept - step
        below = _value(policy, batch, measure)
        policy.parameters[i] = kept
        assert slope[i] == pytest.approx((above - below) / (2 * step), abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("name", POLICIES)
def test_probabilities_are_those_of_what_is_drawn(name: str) -> None:
    """They add up to 1 over a space with groups and conditions, and match frequencies."""
    space = Space.compile(
        {
            "pair": manyof(2, list("abc"), sorted=True),
            "maybe": oneof({"yes": permutate(list("ab")), "no": 0}),
        }
    )
    policy = _policy(space, name)
    records = list(space.enumerate())
    batch = policy.heads.read([r.values for r in records])
    outputs, _ = policy.forward(batch)
    p = np.exp(Distributions(policy.heads, outputs, batch).log_prob().sum(axis=1))
    assert len(records) == 9
    assert p.sum() == pytest.approx(1.0)
    assert p.max() > 2 * p.min()  # far from uniform
    rng = random.Random(0)
    drawn = Counter(policy.draw(rng) for _ in range(4000))
    for record, expected in zip(records, p, strict=True):
        assert drawn[record] / 4000 == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("name", POLICIES)
def test_density_of_a_number_is_that_of_what_is_drawn(name: str) -> None:
    """Ten equal parts of the range are as likely as the Gaussian over it says."""
    policy = _policy(Space.compile({"x": floatv(-1.0, 3.0)}), name)
    rng = random.Random(0)
    u = [(policy.draw(rng)["x"] + 1) / 4 for _ in range(4000)]
    grid = np.linspace(-7, 7, 1401)
    records: list[tuple[float]] = [(4 * 0.5 * math.erfc(-y / math.sqrt(2)) - 1,) for y in grid]
    batch = policy.heads.read(records)
    outputs, _ = policy.forward(batch)
    density = np.exp(Distributions(policy.heads, outputs, batch).log_prob()[:, 0])
    inside = np.abs(grid) < 4.7  # the ends are cut off
    assert density[inside].sum() * 0.01 == pytest.approx(1.0, abs=0.01)
    below = density[inside & (grid < 0)].sum() * 0.01
    assert np.mean(np.array(u) < 0.5) == pytest.approx(below, abs=0.03)


@pytest.mark.parametrize("continuous", ["gaussian", "bins"])
@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("space_name", SPACES)
def test_every_draw_is_a_record(space_name: str, name: str, continuous: Continuous) -> None:
    """Conditions and groups are kept even by a policy that is nearly certain of each decision."""
    space = SPACES[space_name]()
    policy = _policy(space, name, continuous)
    policy.parameters[: policy.heads.outputs] *= 20
    for i in range(200):
        space.check(policy.draw(random.Random(i)).values)


@pytest.mark.parametrize("continuous", ["gaussian", "bins"])
@pytest.mark.parametrize("name", POLICIES)
def test_a_new_policy_is_uniform(name: str, continuous: Continuous) -> None:
    """Places of numbers and candidates alike, so that a search starts as random search."""
    space = Space.compile({"x": floatv(1e-4, 1.0, scale="log"), "op": oneof(list("abcd"))})
    policy = _policies.make(name, space, continuous, 10, seed=0)
    rng = random.Random(0)
    drawn = [policy.draw(rng) for _ in range(4000)]
    places = Counter(int(space.points[0].to_unit(d["x"]) * 4) for d in drawn)
    ops = Counter(d["op"] for d in drawn)
    for count in [*places.values(), *ops.values()]:
        assert count / 4000 == pytest.approx(0.25, abs=0.03)


def test_inactive_decisions_teach_nothing() -> None:
    """What does not count in a record has neither log-probability, entropy nor gradient."""
    space = space_of("mixed")
    policy = _policy(space, "independent")
    decisions = next(
        d for i in range(99) if (d := space.sample(random.Random(i)))["optimizer"] == "adam"
    )
    batch = policy.heads.read([decisions.values])
    outputs, _ = policy.forward(batch)
    drawn = Distributions(policy.heads, outputs, batch)
    for i, head in enumerate(policy.heads.heads):
        inactive = decisions.values[head.point.index] is None
        assert inactive == head.point.id.startswith("optimizer(sgd)")
        if inactive:
            own = policy.heads.owner == i
            assert drawn.log_prob()[0, i] == drawn.entropy()[0, i] == 0.0
            assert not drawn.log_prob_slope()[0, own].any()
            assert not drawn.entropy_slope()[0, own].any()


def test_only_the_autoregressive_policy_learns_that_decisions_belong_together() -> None:
    """Taught two opposite pairs, it draws these pairs; independent ones draw all four alike."""
    space = Space.compile([oneof(["a", "b"]), oneof(["a", "b"])])
    matching = {}
    for name in POLICIES:
        policy = _policies.make(name, space, "gaussian", 10, seed=0)
        adam = Adam(len(policy.parameters), 0.05)
        batch = policy.heads.read([(0, 0), (1, 1)])
        for _ in range(200):
            adam.ascend(policy.parameters, _slope(policy, batch, "log_prob"))
        rng = random.Random(0)
        drawn = [policy.draw(rng).values for _ in range(400)]
        matching[name] = sum(a == b for a, b in drawn) / 400
    assert matching["autoregressive"] > 0.95
    assert matching["independent"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    "number",
    [
        intv(8, 512, scale="log"),
        intv(1, 40),
        intv(3, 99, step=4),
        floatv(0.0, 0.5, step=0.05),
        floatv(0.1, 2.0, step=0.1, scale="log"),
        floatv(0.5, 0.99, step=0.01, scale="reverse_log"),
        floatv(1e-5, 1e-1, scale="log"),
    ],
)
def test_middle_is_the_place_that_gives_the_value(number: Any) -> None:
    """A number's place leads back to it, and no place of a grid lies at an end of [0, 1]."""
    point = Space.compile({"x": number}).points[0]
    n = point.cardinality
    for value in [point.at(i) for i in range(n)] if n else [1e-5, 3e-4, 1e-1]:
        u = middle(point, value)
        assert point.from_unit(u) == pytest.approx(value)
        assert n is None or 0.0 < u < 1.0


def test_which_head_a_point_gets() -> None:
    """Few values are a choice in any case; a long range is a Gaussian, or cut into bins."""
    template = {
        "a": intv(1, 4),
        "b": intv(1, 5),
        "c": floatv(0.0, 1.0),
        "d": floatv(0, 1, step=0.5),
    }
    space = Space.compile(template)
    heads = _policies.make("independent", space, "gaussian", 4, 0).heads.heads
    assert {h.point.id: type(h) for h in heads} == {
        "a": Choice,
        "b": Normal,
        "c": Normal,
        "d": Choice,
    }
    heads = _policies.make("independent", space, "bins", 4, 0).heads.heads
    assert [(h.point.id, h.size) for h in heads] == [("a", 4), ("b", 4), ("c", 4), ("d", 3)]


def test_adam_is_the_one_of_pytorch() -> None:
    """After 50 steps along gradients of any scale it is where `torch.optim.Adam` is."""
    parameters, adam = np.zeros(4), Adam(4, 0.03)
    for t in range(1, 51):
        adam.ascend(parameters, np.array([math.cos(t), 1e-6 * t, 1e6 * math.sin(t), 0.0]))
    expected = [-0.027131728875596103, 1.7849590725002589, 0.11330069219665398, 0.0]
    assert parameters == pytest.approx(expected, rel=1e-9)
