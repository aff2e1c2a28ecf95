"""Derivation: from probabilities to records, against enumeration."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import pytest

from automl_algorithms.weight_sharing.derivation import (
    argmax,
    best_of,
    log_probability,
    most_probable,
    sample,
)
from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.space import Space

SPACES: dict[str, dict[str, Any]] = {
    "independent": {"a": oneof([3, 5, 7]), "b": oneof(["x", "y"]), "n": intv(2, 8, step=3)},
    "conditional": {
        "op": oneof([{"k": oneof([3, 5]), "e": oneof([1, 2, oneof([4, 6])])}, "pool", "skip"]),
        "c": oneof(["x", "y"]),
    },
    "distinct": {"ops": manyof(2, ["a", "b", "c"])},
    "sorted": {"ops": manyof(2, ["a", "b", "c"], distinct=False, sorted=True)},
    "subset": {"ops": manyof(2, ["a", "b", "c", "d"], sorted=True), "k": oneof([1, 2])},
    "order": {"ops": permutate(["a", "b", "c"])},
}


def policy_of(space: Space, seed: int = 0) -> dict[int, list[float]]:
    """Random probabilities, different for every place."""
    rng = random.Random(seed)
    policy = {}
    for point in space.points:
        weights = [rng.random() for _ in range(point.cardinality or 0)]
        policy[point.index] = [w / sum(weights) for w in weights]
    return policy


@pytest.mark.parametrize("name", SPACES)
def test_probabilities_of_all_records_add_up_to_one(name: str) -> None:
    """Conditional points count only where they are active; forbidden slots have none."""
    space = Space(SPACES[name])
    policy = policy_of(space)
    total = sum(math.exp(log_probability(policy, d)) for d in space.enumerate())
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_the_most_probable_come_first(name: str) -> None:
    """All records, each once, in the order that sorting them gives."""
    space = Space(SPACES[name])
    policy = policy_of(space, 1)
    found = list(most_probable(space, policy))
    expected = sorted((log_probability(policy, d) for d in space.enumerate()), reverse=True)
    assert [score for score, _ in found] == pytest.approx(expected, abs=1e-12)
    assert {d for _, d in found} == {*space.enumerate()}
    for score, decisions in found:
        assert score == pytest.approx(log_probability(policy, decisions), abs=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_samples_follow_the_policy(name: str) -> None:
    """20,000 draws; each record's share is within four standard deviations."""
    space, n = Space(SPACES[name]), 20_000
    policy, rng = policy_of(space, 2), random.Random(0)
    drawn = Counter(sample(space, policy, rng) for _ in range(n))
    for decisions in space.enumerate():
        p = math.exp(log_probability(policy, decisions))
        assert abs(drawn[decisions] / n - p) <= 4 * math.sqrt(p * (1 - p) / n), decisions
    assert sum(drawn.values()) == n


@pytest.mark.parametrize("name", SPACES)
def test_argmax_is_a_record(name: str) -> None:
    """Also where the slots of one choice agree on their favourite."""
    space = Space(SPACES[name])
    policy = {p.index: [0.7, *[0.3 / (p.cardinality - 1)] * (p.cardinality - 1)]
              for p in space.points if p.cardinality}  # fmt: skip
    space.check(argmax(space, policy).values)


def test_argmax_per_point() -> None:
    """Top down: the favourite of each point, then those of what it makes active."""
    space = Space(SPACES["conditional"])
    policy = policy_of(space)
    index = {p.id: p.index for p in space.points}
    inner = next(i for id, i in index.items() if id.endswith(".e"))
    policy[index["op"]] = [0.4, 0.35, 0.25]
    policy[inner] = [0.3, 0.3, 0.4]
    best = argmax(space, policy)
    assert best.values[index["op"]] == 0
    assert best.values[inner] == 2
    # The record as a whole is another: what is below a favourite can be undecided.
    assert next(most_probable(space, policy))[1].values[index["op"]] == 1


def test_independent_points_make_argmax_the_most_probable() -> None:
    """As in the topology space, where both derivations of the literature agree."""
    space = Space(SPACES["independent"])
    for seed in range(20):
        policy = policy_of(space, seed)
        assert next(most_probable(space, policy))[1] == argmax(space, policy)


def test_slots_that_agree_are_told_apart() -> None:
    """The second takes its next best; evenly what is left when the policy leaves nothing."""
    space = Space(SPACES["distinct"])
    assert argmax(space, {0: [0.6, 0.3, 0.1], 1: [0.6, 0.3, 0.1]}).values == (0, 1)
    certain = {0: [0.0, 1.0, 0.0], 1: [0.0, 1.0, 0.0]}
    assert {sample(space, certain, random.Random(s)).values for s in range(20)} == {(1, 0), (1, 2)}
    assert [s for s, _ in most_probable(space, certain)] == pytest.approx([math.log(0.5)] * 2)


def test_settled_points_come_as_they_are() -> None:
    """A learning rate has no probability; inactive ones stay out."""
    space = Space(
        {"op": oneof(["x", "y"]), "opt": oneof([{"lr": floatv(0.1, 1.0)}, {"m": oneof([1, 2])}])}
    )
    index = {p.id.rpartition(".")[2]: p.index for p in space.points}
    settled = {index["opt"]: 0, index["lr"]: 0.5}
    policy = {index["op"]: [0.2, 0.8], index["m"]: [0.5, 0.5]}
    best = argmax(space, policy, settled)
    space.check(best.values)
    assert best.values[index["lr"]] == 0.5
    assert best.values[index["m"]] is None
    assert log_probability(policy, best) == pytest.approx(math.log(0.8))
    assert len(list(most_probable(space, policy, settled))) == 2
    assert sample(space, policy, random.Random(0), settled).values[index["opt"]] == 0


def test_the_best_hundred_of_the_topology_space() -> None:
    """As SETN wants them; and the first of a space of 5^60 records, which nobody enumerates."""
    space = Space({"cell": [oneof(list("abcde")) for _ in range(6)]})
    policy = policy_of(space)
    found = [score for score, _ in itertools.islice(most_probable(space, policy), 100)]
    logs = [[math.log(p) for p in policy[i]] for i in range(6)]
    assert found == pytest.approx(sorted(map(sum, itertools.product(*logs)), reverse=True)[:100])
    large = Space({"cell": [oneof(list("abcde")) for _ in range(60)]})
    assert len(list(itertools.islice(most_probable(large, policy_of(large)), 10))) == 10


def test_impossible_records_are_left_out() -> None:
    """A probability of zero excludes, as `none` is excluded in the original DARTS."""
    space = Space(SPACES["independent"])
    policy = policy_of(space)
    policy[0] = [0.0, 0.5, 0.5]
    assert all(d.values[0] != 0 for _, d in most_probable(space, policy))
    assert log_probability(policy, space.decode({"a": 3, "b": "x", "n": 2})) == -math.inf


def test_probabilities_of_another_point() -> None:
    """A policy of the wrong size is refused by name."""
    space = Space(SPACES["independent"])
    with pytest.raises(ValueError, match="a: 2 probabilities for 3 places"):
        argmax(space, policy_of(space) | {0: [0.5, 0.5]})


def test_the_best_of_some() -> None:
    """Each is scored once; the first of equals; what is not a number loses."""
    space = Space(SPACES["independent"])
    records = list(space.enumerate())[:4]
    scores = dict(zip(records, [math.nan, 0.5, 0.7, 0.7], strict=True))
    asked = []

    def score(decisions: Any) -> float:
        asked.append(decisions)
        return scores[decisions]

    assert best_of([*records, *records], score) == (0.7, records[2])
    assert asked == records
    assert best_of(records[:1], score)[1] == records[0]
    with pytest.raises(ValueError, match="empty"):
        best_of([], score)
