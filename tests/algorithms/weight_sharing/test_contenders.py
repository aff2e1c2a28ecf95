"""The design of a finish: who competes with the best."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from automl_algorithms.weight_sharing._contenders import contenders

SEEDS = range(20)


def drawn(
    best: Mapping[int, int],
    sizes: Mapping[int, int],
    most: int = 8,
    seed: int = 1,
    networks: bool = False,
    rates: Sequence[int] = (),
) -> list[dict[int, int]]:
    """As a list."""
    rng = random.Random(seed)
    return [
        dict(each) for each in contenders(best, sizes, most, rng, networks=networks, rates=rates)
    ]


def changed(places: Mapping[int, int], best: Mapping[int, int]) -> list[int]:
    """The points where they differ."""
    return [index for index in best if places[index] != best[index]]


def test_all_combinations_where_they_are_few() -> None:
    """Each once, and not the best one."""
    best = {3: 1, 5: 2}
    found = {tuple(each.items()) for each in drawn(best, {3: 2, 5: 4})}
    assert len(found) == 7
    assert tuple(best.items()) not in found


@pytest.mark.parametrize("seed", SEEDS)
def test_each_changes_one_thing(seed: int) -> None:
    """As often as the others, give or take one, as long as it has candidates; never twice alike."""
    best, sizes = {0: 1, 4: 0, 7: 1}, {0: 7, 4: 8, 7: 2}
    found = drawn(best, sizes, 12, seed)
    assert len({tuple(each.items()) for each in found}) == 11
    counts = Counter(point for each in found for point in changed(each, best))
    assert counts == {0: 5, 4: 5, 7: 1}


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_are_spread_over_the_order_of_the_candidates(seed: int) -> None:
    """One from each part; never the best again."""
    values = [each[0] for each in drawn({0: 4}, {0: 21}, 5, seed)]
    assert len(values) == 4
    parts = [range(6), range(6, 11), range(11, 16), range(16, 21)]  # without 4: of five each
    assert all(value in part for value, part in zip(values, parts, strict=True))
    assert 4 not in values


@pytest.mark.parametrize("seed", SEEDS)
def test_the_network_is_a_thing_of_its_own(seed: int) -> None:
    """Members with the best places get another network only."""
    best = {2: 3}
    found = drawn(best, {2: 7}, seed=seed, networks=True)
    assert len(found) == 7
    assert found.count(best) in {3, 4}
    assert len({each[2] for each in found}) == 8 - found.count(best)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_draw_a_learning_rate(seed: int) -> None:
    """Each as often as the others, give or take one, while another thing is changed, or none."""
    best, sizes = {0: 2, 3: 1}, {0: 5, 3: 7}
    found = drawn(best, sizes, seed=seed, rates=[0])
    assert len(found) == 7
    assert {each[3] for each in found[:6]} == {0, 2, 3, 4, 5, 6}
    assert found[6][3] == 1
    counts = Counter(each[0] for each in found)
    assert set(counts) == set(range(5))
    assert set(counts.values()) == {1, 2}


def test_networks_alone() -> None:
    """All members differ in them if no other decision is open; most if one has few candidates."""
    assert drawn({}, {}, networks=True) == [{}] * 7
    assert drawn({0: 1}, {0: 2}, networks=True).count({0: 1}) == 6
    assert drawn({}, {}) == []


def test_another_seed_is_another_design() -> None:
    """The same one is the same."""
    best, sizes = {0: 0, 1: 0, 2: 0}, {0: 3, 1: 5, 2: 20}
    assert drawn(best, sizes, seed=1) == drawn(best, sizes, seed=1) != drawn(best, sizes, seed=2)
