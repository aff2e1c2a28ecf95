"""Rows of coordinates: every row is a record, whatever is done to it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from automl_algorithms.multi_trial._batch import Batch
from automl_spaces.choices import floatv, manyof, oneof
from automl_spaces.decisions import Decisions
from automl_spaces.space import Space
from tests.algorithms.spaces import SPACES, space_of


def _check(space: Space, batch: Batch, rows: np.ndarray) -> None:
    for row in rows:
        space.check(batch.values(row))


@pytest.mark.parametrize("name", SPACES)
def test_every_row_is_a_record(name: str) -> None:
    """Random, evenly spread, and mutated twenty times over."""
    space, rng = space_of(name), np.random.default_rng(0)
    batch = Batch(space)
    rows = batch.sample(50, rng)
    _check(space, batch, rows)
    _check(space, batch, batch.spread(50, rng))
    for _ in range(20):
        rows = batch.mutate(rows, np.full(50, 0.3), np.full(50, 0.2), rng)
        _check(space, batch, rows)


def test_subsets_and_permutations_keep_their_constraints() -> None:
    """Of every kind of group, under a condition too, after many mutations."""
    labels = ["a", "b", "c", "d"]
    groups = {
        f"{distinct}{ordered}": manyof(3, labels, distinct=distinct, sorted=ordered)
        for distinct in (True, False)
        for ordered in (True, False)
    }
    space = Space.compile({"on": oneof([groups, None]), "all": manyof(4, labels, distinct=True)})
    batch, rng = Batch(space), np.random.default_rng(0)
    rows = batch.sample(100, rng)
    for _ in range(10):
        rows = batch.mutate(rows, np.full(100, 0.5), np.full(100, 0.2), rng)
        _check(space, batch, rows)


@pytest.mark.parametrize("name", SPACES)
def test_rows_and_values_are_inverse(name: str) -> None:
    """A record comes back from its row."""
    space, rng = space_of(name), random.Random(0)
    batch = Batch(space)
    records = [space.sample(rng) for _ in range(30)]
    rows = batch.rows([r.values for r in records])
    for record, row in zip(records, rows, strict=True):
        assert batch.values(row) == pytest.approx(record.values, nan_ok=True)


@pytest.mark.parametrize("name", SPACES)
def test_a_mutant_differs_from_its_parent_and_its_parent_is_left_alone(name: str) -> None:
    """With rate 0 exactly one decision moves, apart from what that activates or trades."""
    batch, rng = Batch(space_of(name)), np.random.default_rng(0)
    parents = batch.sample(100, rng)
    before = parents.copy()
    mutants = batch.mutate(parents, np.zeros(100), np.full(100, 0.05), rng)
    np.testing.assert_array_equal(parents, before)
    both_nan = np.isnan(parents) & np.isnan(mutants)
    moved = ((parents != mutants) & ~both_nan).sum(axis=1)
    assert (moved == 1).all() if name != "mixed" else (moved >= 1).mean() > 0.8


def test_a_spread_takes_every_candidate_equally_often() -> None:
    """Twenty rows of five candidates: four of each, at every edge; numbers fill their strata."""
    batch = Batch(space_of("cells"))
    rows = batch.spread(20, np.random.default_rng(0))
    for column in rows.T:
        assert np.bincount(column.astype(int)).tolist() == [4] * 5
    line = Batch(Space.compile({"x": floatv(0.0, 1.0)})).spread(8, np.random.default_rng(0))
    assert sorted((line[:, 0] * 8).astype(int)) == list(range(8))


def test_distances_between_features() -> None:
    """Two candidates 1, the ends of a scale 1, active and inactive at least 1, equals 0."""
    space = Space.compile(
        {
            "op": oneof(["a", "b", "c"]),
            "k": oneof([3, 5, 7]),
            "opt": oneof({"x": floatv(0, 1), "y": 0}),
        }
    )
    batch = Batch(space)

    def features(**record: object) -> np.ndarray:
        decisions = space.decode({"op": "a", "k": 3, "opt": "y", **record})
        assert isinstance(decisions, Decisions)
        return batch.features(batch.rows([decisions.values]))[0]

    here = features()
    assert ((features(op="c") - here) ** 2).sum() == pytest.approx(1.0)
    assert ((features(k=7) - here) ** 2).sum() == pytest.approx(1.0)
    assert ((features(k=5) - here) ** 2).sum() == pytest.approx(0.25)
    assert len(batch.owner) == len(here)
