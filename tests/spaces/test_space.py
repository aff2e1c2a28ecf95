"""Laws over random spaces: the way from records to programs and back."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, oneof
from automl_spaces.json_form import from_json, to_json
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol
from automl_spaces.traversal import walk

from .strategies import LAW, small_spaces, spaces, templates

seeds = st.integers(0, 2**32).map(random.Random)


@LAW
@given(spaces, seeds)
def test_a_sample_is_valid(space: Space, rng: random.Random) -> None:
    """Whatever is drawn fits every rule of the space."""
    space.check(space.sample(rng).values)


@LAW
@given(spaces, seeds)
def test_records_round_trip(space: Space, rng: random.Random) -> None:
    """A record is read back from its JSON and from its mapping, exactly."""
    decisions = space.sample(rng)
    assert space.decode(decisions.to_json()) == decisions
    assert space.decode(decisions.as_dict()) == decisions
    assert space.decode(decisions.to_json()).to_json() == decisions.to_json()


@LAW
@given(spaces, seeds)
def test_programs_round_trip(space: Space, rng: random.Random) -> None:
    """The record of a materialised program materialises to the same program."""
    program = space.materialise(space.sample(rng))
    assert space.materialise(space.decisions_of(program)) == program


@LAW
@given(spaces, seeds)
def test_a_materialised_program_is_static_and_fresh(space: Space, rng: random.Random) -> None:
    """No choice is left, and two materialised programs share no node, list or mapping."""
    decisions = space.sample(rng)
    first, second = space.materialise(decisions), space.materialise(decisions)
    assert Space(first).points == ()
    mutable = (Symbol, list, dict)
    ours = {id(value) for _, value, _ in walk(first) if isinstance(value, mutable)}
    theirs = [value for _, value, _ in walk(second) if isinstance(value, mutable)]
    template = [v for _, v, _ in walk(space.template) if isinstance(v, mutable)]
    assert not any(id(value) in ours for value in [*theirs, *template])


@LAW
@given(small_spaces)
def test_enumerate_yields_every_record_once(space: Space) -> None:
    """As many distinct, valid records as the size says."""
    records = list(space.enumerate())
    assert len(records) == len(set(records)) == space.size
    for record in records:
        space.check(record.values)


@LAW
@given(small_spaces, seeds)
def test_every_sample_is_enumerated(space: Space, rng: random.Random) -> None:
    """Sampling and enumerating speak of the same records."""
    assert space.sample(rng) in set(space.enumerate())


@LAW
@given(templates)
def test_equal_spaces_have_equal_hashes(template: Any) -> None:
    """A clone and a copy from JSON span the same space."""
    space = Space(template)
    assert Space(template.clone()).hash == space.hash
    assert Space(from_json(to_json(template))).points == space.points


@LAW
@given(spaces)
def test_parents_come_before_children(space: Space) -> None:
    """And the slots of a group in order, without a condition of their own."""
    for point in space.points:
        assert space.points[point.index] is point
        assert all(parent < point.index for parent, _ in point.conditions)
        if point.group is not None:
            assert list(point.group.indices) == sorted(point.group.indices)
            conditions = {space.points[i].conditions for i in point.group.indices}
            assert len(conditions) == 1


def test_points_are_equal_by_what_they_are() -> None:
    """Not by where they were written; their repr says what can be chosen."""
    one = Space([floatv(0.1, 1.0, scale="log"), oneof(["a", "b"])])
    other = Space([floatv(0.1, 1.0, scale="log"), oneof(["a", "c"])])
    assert one.points[0] == other.points[0]
    assert one.points[1] != other.points[1]
    assert repr(one.points[0]) == "<[0]: float [0.1, 1] log>"
