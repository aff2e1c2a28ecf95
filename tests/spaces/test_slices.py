"""Slices: what they hold is what agrees with their base, and nothing else."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_spaces.choices import manyof, oneof
from automl_spaces.errors import UserError
from automl_spaces.slices import Slice
from automl_spaces.space import Space
from tests.algorithms.spaces import SPACES, space_of

COMPILED = {name: space_of(name) for name in SPACES}


def _slice(name: str, seed: int) -> tuple[Slice, set[int]]:
    """A random record of a space, and about half of its points open."""
    space, rng = COMPILED[name], random.Random(seed)
    open_points: set[int] = set()
    for point in space.points:
        if rng.random() < 0.5:
            open_points.update(point.group.indices if point.group else (point.index,))
    return Slice(space, space.sample(rng), open_points), open_points


@settings(deadline=None)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 10**6))
def test_records_lead_to_each_other(name: str, seed: int) -> None:
    """Sampled and mutated records are valid in both, and what is frozen is as in the base."""
    part, open_points = _slice(name, seed)
    rng = random.Random(seed + 1)
    record = part.sample(rng)
    for _ in range(3):
        part.check(record.values)
        whole = part.compose(record)
        part.whole.check(whole.values)
        assert part.restrict(whole) == record
        assert part.decisions_of(part.materialise(record)) == record
        for i, (now, was) in enumerate(zip(whole.values, part.base.values, strict=True)):
            assert i in open_points or now is None or was is None or now == was
        record = part.mutate(record, rng)
    base = part.restrict(part.base)
    assert base is not None
    assert part.compose(base) == part.base


@pytest.mark.parametrize("name", ["finite", "cells"])
def test_size_and_enumeration_agree(name: str) -> None:
    """Each record of the slice is another record of the space."""
    for seed in range(5):
        part, _ = _slice(name, seed)
        found = {part.compose(record) for record in itertools.islice(part.enumerate(), 4000)}
        assert len(found) == min(part.size, 4000)


def test_what_does_not_count_in_the_base_is_decided_with_its_parent() -> None:
    """Opening the optimizer opens the settings of the one that the base has not."""
    space = COMPILED["mixed"]
    base = space.decode(
        {"kernel": 3, "fixed": "only", "optimizer": "adam", "optimizer(adam).lr": 1e-3,
         "optimizer(adam).steps": 2, "augment[0]": "flip", "augment[1]": "crop",
         "order[0]": "norm", "order[1]": "act", "order[2]": "conv", "width": 1.0}
    )  # fmt: skip
    part = Slice(space, base, [space.point("optimizer").index])
    ids = [point.id for point in part.points]
    assert ids == ["optimizer", "optimizer(sgd).lr", "optimizer(sgd).nesterov"]
    adam = part.compose(part.decode({"optimizer": "adam"}))
    assert adam == base
    frozen = Slice(space, base, [space.point("width").index])
    assert [point.id for point in frozen.points] == ["width"]


def test_a_choice_in_a_slot_is_told_from_the_same_one_in_another() -> None:
    """The candidates of `manyof` stand once in the template and are decided slot by slot."""
    space = Space.compile(manyof(2, [{"a": oneof([1, 2, 3])}, {"b": 0}], distinct=False, name="m"))
    base = space.decode(
        {
            "m[0]": "{a:oneof(candidates=[1,2,3])}",
            "m[0]({a:oneof(candidates=[1,2,3])}).a": 1,
            "m[1]": "{a:oneof(candidates=[1,2,3])}",
            "m[1]({a:oneof(candidates=[1,2,3])}).a": 2,
        }
    )
    inner = [p.index for p in space.points if p.id.startswith("m[1](")]
    part = Slice(space, base, inner)
    programs = [part.materialise(record) for record in part.enumerate()]
    assert programs == [[{"a": 1}, {"a": x}] for x in (1, 2, 3)]


def test_a_program_outside_is_refused() -> None:
    """It differs in what is frozen."""
    space = COMPILED["finite"]
    part = Slice(space, space.decode({"kernel": 3, "op": "conv"}), [space.point("op").index])
    with pytest.raises(UserError, match="outside of the slice"):
        part.decisions_of({"kernel": 5, "op": "conv"})
