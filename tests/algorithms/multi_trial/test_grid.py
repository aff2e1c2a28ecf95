"""Grid search: everything once, in order, lazily."""

from __future__ import annotations

import random

import pytest

from automl_algorithms.contract import Exhausted, Plan
from automl_algorithms.multi_trial.grid import Grid
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE
from tests.algorithms.spaces import mobilenet_like, space_of


def _grid(space: Space, resolution: int | None = None) -> Grid:
    grid = Grid(resolution=resolution)
    grid.setup(space, ONE, 0)
    return grid


def _rest(grid: Grid) -> list[str]:
    records: list[str] = []
    with pytest.raises(Exhausted):
        while True:
            records.append(grid.propose(len(records), random.Random(0)).to_json())
    return records


def test_every_record_once_in_order() -> None:
    """Six programs, the last decision turning fastest, then `Exhausted`."""
    assert _rest(_grid(space_of("finite"))) == [
        f'{{"kernel":{k},"op":"{op}"}}' for k in (3, 5, 7) for op in ("conv", "pool")
    ]


def test_resolution_of_continuous_points() -> None:
    """Three values stand for each continuous point; the whole mixed space is walked."""
    space = space_of("mixed")
    records = _rest(_grid(space, 3))
    # kernel * (adam lr * steps + sgd lr * nesterov) * subsets * permutations * width
    assert len(records) == len(set(records)) == 3 * (3 * 3 + 3 * 2) * 6 * 6 * 3
    assert all(space.decode(r).to_json() == r for r in records[:50])


def test_restored_records_are_left_out() -> None:
    """What the ledger holds is skipped, wherever in the order it stands."""
    space = space_of("finite")
    everything = _rest(_grid(space))
    grid = _grid(space)
    for trial_id in (0, 3):
        grid.restore(trial_id, Plan(space.decode(everything[trial_id])))
    assert _rest(grid) == [r for i, r in enumerate(everything) if i not in (0, 3)]
    assert not grid._made_by_others


def test_a_space_of_trillions_starts_at_once() -> None:
    """39 decisions are walked lazily: the first records come without the others."""
    space = mobilenet_like()
    assert space.size > 1e12
    grid = _grid(space)
    first = [grid.propose(i, random.Random(0)) for i in range(100)]
    assert len(set(first)) == 100


def test_resolution_must_be_positive() -> None:
    """Zero values cannot stand for a point."""
    with pytest.raises(UserError, match="resolution must be at least 1, got 0"):
        Grid(resolution=0)
