"""The decoded latency table of TuNAS, against what upstream asserts of it."""

from __future__ import annotations

import random

import pytest

from automl_cli.costs.pixel1_latency import BLOCKS, COLUMNS, pixel1_latency
from automl_cli.recipe import load_recipe
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol

# Upstream's encodings: a place in `CHOICES` for each block after the first, 6 for none.
CHOICES = ((3, 3), (5, 3), (7, 3), (3, 6), (5, 6), (7, 6))
GOLDEN = "1 6 6 6 | 4 1 1 0 | 5 4 5 5 | 4 0 1 1 | 4 2 0 1 | 5"
PROXYLESS = "1 0 6 6 | 2 0 1 1 | 5 1 1 1 | 4 1 1 1 | 5 5 2 2 | 5"


@pytest.fixture(scope="module")
def space() -> Space:
    """Of the recipe."""
    return Space(load_recipe("mobilenet/proxyless").template)


def program(space: Space, encoding: str) -> Symbol:
    """The network of an encoding, whose first block has a kernel of 3."""
    chosen: dict[str, object] = {"model.blocks[0].kernel_size": 3}
    for place, code in enumerate(map(int, encoding.replace("|", "").split()), 1):
        id = f"model.blocks[{place}]"
        if len(BLOCKS[place - 1]) > len(COLUMNS):
            chosen[id] = "Skip" if code == 6 else "InvertedResidual"
            id += "(InvertedResidual)"
        if code < 6:
            chosen[f"{id}.kernel_size"], chosen[f"{id}.expansion"] = CHOICES[code]
    found: Symbol = space.materialise(space.decode(chosen))
    return found


def test_it_is_the_space_of_the_paper(space: Space) -> None:
    """3 kernels of the first block, 6 blocks of 6 choices, 15 of 7."""
    assert space.size == 3 * 6**6 * 7**15


def test_the_networks_that_upstream_names(space: Space) -> None:
    """84 +- 1 ms is what its own test asserts of the first."""
    assert pixel1_latency(program(space, GOLDEN)) == pytest.approx(84.017, abs=0.01)
    assert pixel1_latency(program(space, PROXYLESS)) == pytest.approx(84.42, abs=0.01)


def test_the_range_of_the_space(space: Space) -> None:
    """From the quickest to the slowest network, and every network between has a latency."""
    quick = ["6" if len(row) == 7 else "0" for row in BLOCKS]
    slow = ["5"] * len(BLOCKS)
    assert pixel1_latency(program(space, " ".join(quick))) == pytest.approx(30.9, abs=0.05)
    slowest = pixel1_latency(program(space, " ".join(slow))) - -1.753 + 8.227
    assert slowest == pytest.approx(219.1, abs=0.05)
    rng = random.Random(0)
    for _ in range(20):
        assert 30.8 < pixel1_latency(space.materialise(space.sample(rng))) < 219.2


def test_larger_is_slower() -> None:
    """In every row: kernel sizes, expansions; and no block is quickest."""
    for row in BLOCKS:
        k3e3, k3e6, k5e3, k5e6, k7e3, k7e6, *absent = row
        assert k3e3 < k5e3 < k7e3
        assert k3e6 < k5e6 < k7e6
        assert k3e3 < k3e6
        assert all(value < min(row[:6]) for value in absent)


def test_networks_of_other_spaces_are_refused(space: Space) -> None:
    """With what is expected, and where."""
    with pytest.raises(UserError, match="networks of 22 blocks"):
        pixel1_latency(load_recipe("mobilenet/static").program)
    model = program(space, PROXYLESS)
    for path, value, message in (
        ("model.blocks[1].kernel_size", 9, "no such block"),
        ("model.blocks[1].filters", 24, "no such block"),
        ("model.blocks[0].expansion", 6, "no such block"),
    ):
        with pytest.raises(UserError, match=message):
            pixel1_latency(model.clone().rebind({path: value}))
