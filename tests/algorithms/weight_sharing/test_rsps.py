"""RSPS: draws per cell, the node that is never empty, and its final competition."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.rsps import RSPS
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from ._resume import assert_resumes
from .bandit import arm as casino_arm
from .bandit import bandit, casino, search
from .sizes import sized
from .stepwise import identity

ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6
GOAL = Objective("accuracy")
OPS = ("none", "a", "b", "c", "d")
ZERO = torch.zeros(())
log: list[str] = []


class Edge(nn.Module):
    """Writes down its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x, with a gradient for the weight."""
        log.append(self.name)
        return x + self.weight


class TwoCells(nn.Module):
    """Two cells that have the same decisions; a node is a list of edges."""

    def __init__(self, cell: list[list[nn.Module]]) -> None:
        super().__init__()
        self.cell = nn.ModuleList(nn.ModuleList(node) for node in cell)

    def forward(self, x: Tensor) -> Tensor:
        """Every edge is asked once in each cell."""
        for _ in range(2):
            log.append("cell")
            for node in self.cell:
                assert isinstance(node, nn.ModuleList)
                x = reduce(add, [edge(x) for edge in node])
        return x


class Nothing(nn.Module):
    """No edge."""

    def forward(self, x: Tensor) -> Tensor:
        """Zeros."""
        log.append("none")
        return x * 0


def cells() -> Supernet:
    """A node of one edge and a node of two, each none or one of four operations."""
    nothing, edge = symbolize(Nothing), symbolize(Edge)
    nodes = [
        [oneof({"none": nothing(), **{name: edge(name) for name in "abcd"}}) for _ in range(n)]
        for n in (1, 2)
    ]
    return lower(Space(casino(model=symbolize(TwoCells)(nodes))))


def draws(search: RSPS, steps: int) -> list[list[str]]:
    """The operations of each cell in each step."""
    log.clear()
    for step in range(steps):
        search.step(ZERO, lambda: ZERO, Moment(0, step, 1, steps))
    found: list[list[str]] = []
    for name in log:
        if name == "cell":
            found.append([])
        else:
            found[-1].append(name)
    return found


def ready(net: Supernet, **options: Any) -> RSPS:
    """A search that is set up."""
    found = RSPS(**options)
    found.setup(net, Task(GOAL, seed=1))
    return found


def test_every_cell_draws_for_itself() -> None:
    """Or the whole network is one record, by the option."""
    own = draws(ready(cells()), 100)
    assert all(len(cell) == 3 for cell in own)
    pairs = list(zip(own[::2], own[1::2], strict=True))
    assert sum(a == b for a, b in pairs) < 10
    same = draws(ready(cells(), per_cell=False), 100)
    assert all(a == b for a, b in zip(same[::2], same[1::2], strict=True))


def test_a_node_is_never_empty() -> None:
    """By the option; what is left is uniform: 1 in 4 and 1 in 24."""
    found = draws(ready(cells(), preset="nats"), 1000)
    n = len(found)
    first = Counter(cell[0] for cell in found)
    assert set(first) == set("abcd")
    assert all(abs(k / n - 1 / 4) < 4 * (3 / 16 / n) ** 0.5 for k in first.values())
    second = Counter((cell[1], cell[2]) for cell in found)
    assert ("none", "none") not in second
    assert len(second) == 24
    assert all(abs(k / n - 1 / 24) < 4 * (23 / 576 / n) ** 0.5 for k in second.values())


def test_without_the_option_a_node_may_be_empty() -> None:
    """1 in 5, and 1 in 25."""
    found = draws(ready(cells()), 500)
    assert sum(cell[0] == "none" for cell in found) == pytest.approx(200, abs=60)
    assert any(cell[1:] == ["none", "none"] for cell in found)


def test_an_option_without_effect_is_refused() -> None:
    """There is no none, or no list of choices, or one draw for all cells."""
    with pytest.raises(UserError, match="never_all: none has nothing to act on"):
        ready(bandit(ROWS), preset="nats")
    single = lower(Space(casino(model=oneof({"none": symbolize(Nothing)(), "a": identity()}))))
    with pytest.raises(UserError, match="nothing to act on"):
        ready(single, never_all="none")
    with pytest.raises(UserError, match="nothing to act on"):
        ready(cells(), preset="nats", per_cell=False)


def test_the_best_of_random_records_wins() -> None:
    """Nothing is learned on the way."""
    rsps = search(RSPS(candidates=2000), bandit([row[:3] for row in ROWS[:4]]), 5, Task(GOAL))
    assert all(chances == [1 / 3] * 3 for chances in rsps.policy().values())
    assert next(rsps.derive(lambda: ZERO)).values == (2,) * 4


def test_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """The random generator is all it has."""
    assert_resumes(RSPS, tmp_path)


def test_presets() -> None:
    """Those that are published."""
    with pytest.raises(UserError, match="no preset nat"):
        RSPS(preset="nat")  # type: ignore[arg-type]
    paper = RSPS(preset="paper", finalists=5)
    assert (paper.per_cell, paper.candidates, paper.finalists, paper.clip) == (False, 1000, 5, 5.0)


def test_sizes_are_one_choice_for_the_whole_network() -> None:
    """Neighbours have to fit; only decisions between modules are drawn at each use."""
    net = sized([[0.1, 0.5, 0.2]] * 3, "sum", oneof([casino_arm(0.0), casino_arm(0.3)]))
    found = search(RSPS(), net, 30)
    assert [gate.drawn for gate in net.gates.values()] == [False] * 3 + [True]
    assert next(iter(found.derive(lambda: ZERO))).values[3] == 1
