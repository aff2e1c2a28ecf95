"""SETN: uniform paths for the weights, mixtures for the policy, and its final competition."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing.gates import Choose, Mix
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.setn import SETN
from automl_spaces.objective import Objective

from ._resume import assert_resumes
from .bandit import bandit, prices, search

ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1]] * 6
GOAL = Objective("accuracy")
ZERO = torch.zeros(())


def ready(net: Any, task: Task | None = None, **options: Any) -> SETN:
    """A search that is set up."""
    found = SETN(**options)
    found.setup(net, task or Task(GOAL, seed=1))
    return found


def test_paths_stay_uniform_while_the_policy_learns() -> None:
    """The weights see every candidate equally often: chi square of 4 degrees below 18.5."""
    net = bandit([[0.0, 0.1, 0.9, 0.2, 0.3]])
    setn = ready(net, lr=0.1)
    seen: Counter[int] = Counter()
    train = setn.train_weights

    def noted(batch: Any) -> float:
        use = net.gates[0].use()
        assert isinstance(use, Choose)
        seen[use.index] += 1
        return train(batch)

    setn.train_weights = noted  # type: ignore[method-assign]
    for step in range(1000):
        setn.step(ZERO, lambda: ZERO, Moment(0, step, 1, 1000))
        assert isinstance(net.gates[0].use(), Mix)
    assert setn.policy()[0][2] > 0.9
    assert sum((n - 200) ** 2 / 200 for n in seen.values()) < 18.5


def test_a_path_is_the_same_in_the_whole_network() -> None:
    """One gate, many places: each step chooses an index for all of them."""
    net = bandit(ROWS)
    setn = ready(net)
    setn.net.choose(setn.draw())
    assert all(gate.use() == gate.use() for gate in net.gates.values())
    assert not any(gate.drawn for gate in net.gates.values())


def test_the_most_probable_records_compete() -> None:
    """The best of them is not the most probable one, and others do not take part."""
    net = bandit([[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]])
    setn = ready(net, candidates=4, finalists=1)
    with torch.no_grad():
        for logits in setn.logits.parameters():
            logits.copy_(torch.tensor([2.0, 1.0, -5.0]))
    assert [d.values for d in setn.derive(lambda: ZERO)] == [(1, 1), (0, 1), (1, 0), (0, 0)]


def test_only_records_within_the_constraints_compete() -> None:
    """Candidates are counted after them."""
    net = bandit(ROWS)
    costs = prices(net, [[1.0, 2.0, 3.0, 4.0, 5.0]] * 6)
    setn = ready(net, Task(GOAL, 0, costs, {"price": (0.0, 14.0)}), candidates=20)
    records = list(setn.derive(lambda: ZERO))
    assert len(records) == 20
    assert all(costs(record)["price"] <= 14 for record in records)


@pytest.mark.parametrize("seed", range(2))
def test_it_finds_the_best_arms(seed: int) -> None:
    """By its policy, and by the record it derives."""
    found = search(SETN(), bandit(ROWS), 500, Task(GOAL, seed))
    assert all(chances[2] == max(chances) > 0.5 for chances in found.policy().values())
    assert next(found.derive(lambda: ZERO)).values == (2,) * 6


def test_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Logits, their optimiser, and the paths."""
    assert_resumes(SETN, tmp_path)


def test_the_published_setting() -> None:
    """100 records, one batch each."""
    setn = ready(bandit(ROWS), preset="nats")
    assert (setn.lr, setn.candidates, setn.finalists) == (3e-4, 100, 1)
