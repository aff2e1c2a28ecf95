"""Drawing, mutating, crossing and repairing records."""

from __future__ import annotations

import collections
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.points import Point
from automl_spaces.sampling import mutable
from automl_spaces.space import Space

from .strategies import LAW, spaces

seeds = st.integers(0, 2**32).map(random.Random)


def draws(choice: Any, count: int = 4000, seed: int = 0) -> list[Any]:
    """Many values of one choice."""
    space, rng = Space([choice]), random.Random(seed)
    return [space.materialise(space.sample(rng))[0] for _ in range(count)]


def freely_changed(a: Decisions, b: Decisions) -> set[Any]:
    """The decisions, groups as one, that differ although what they hang on does not."""
    points: tuple[Point, ...] = a.space.points
    changed = {p.index for p in points if a.values[p.index] != b.values[p.index]}
    free = set()
    for i in changed:
        point = points[i]
        siblings = point.group.indices if point.group else ()
        parents = {parent for parent, _ in point.conditions}
        if not parents & changed:
            free.add(siblings or i)
    return free


# Laws -------------------------------------------------------------------------------------------


@LAW
@given(spaces, seeds)
def test_mutation_changes_exactly_one_decision(space: Space, rng: random.Random) -> None:
    """Apart from what hangs on it; the result is valid; only a fixed space stays as it is."""
    before = space.sample(rng)
    after = space.mutate(before, rng)
    space.check(after.values)
    expected = 1 if mutable(space.points, before.values) else 0
    assert len(freely_changed(before, after)) == expected


@LAW
@given(spaces, seeds)
def test_every_decision_that_is_called_mutable_can_be_changed(
    space: Space, rng: random.Random
) -> None:
    """Itself, or with it the group that it is a slot of, and nothing else that is free."""
    before = space.sample(rng)
    for point in space.mutable(before):
        after = space.change(before, point, rng)
        space.check(after.values)
        place = point.group.indices if point.group else point.index
        assert freely_changed(before, after) == {place}


@LAW
@given(spaces, seeds, st.sampled_from([0.0, 0.3, 1.0]))
def test_mutation_by_rate_changes_something(space: Space, rng: random.Random, rate: float) -> None:
    """At least one decision, whatever the rate."""
    before = space.sample(rng)
    after = space.mutate(before, rng, rate=rate)
    space.check(after.values)
    assert (after != before) == bool(mutable(space.points, before.values))


@LAW
@given(spaces, seeds)
def test_crossover_takes_from_its_parents(space: Space, rng: random.Random) -> None:
    """Valid, and nothing new but what a repair had to draw."""
    a, b = space.sample(rng), space.sample(rng)
    child = space.crossover(a, b, rng)
    space.check(child.values)
    assert space.crossover(a, a, rng) == a
    for point, value in zip(space.points, child.values, strict=True):
        from_parents = {a.values[point.index], b.values[point.index]}
        if not point.conditions and value is not None:
            assert value in from_parents


@LAW
@given(spaces, seeds, st.data())
def test_completion_repairs(space: Space, rng: random.Random, data: st.DataObject) -> None:
    """Any mixture of decided and undecided values becomes valid; a valid record stays."""
    a, b = space.sample(rng), space.sample(rng)
    pairs = zip(a.values, b.values, strict=True)
    mixed = [data.draw(st.sampled_from([x, y, None])) for x, y in pairs]
    space.check(space.complete(mixed, rng).values)
    assert space.complete(a.values, rng) == a


@LAW
@given(spaces, st.integers(0, 2**32))
def test_randomness_is_the_argument_alone(space: Space, seed: int) -> None:
    """The same generator gives the same record, mutant and child."""

    def run() -> list[str]:
        rng = random.Random(seed)
        a, b = space.sample(rng), space.sample(rng)
        return [a.to_json(), space.mutate(a, rng).to_json(), space.crossover(a, b, rng).to_json()]

    assert run() == run()


# Distributions ----------------------------------------------------------------------------------


def share(values: list[Any], low: float, high: float) -> float:
    """The part of the values in [low, high)."""
    return sum(bool(low <= v < high) for v in values) / len(values)


def test_log_scale_draws_are_log_uniform() -> None:
    """Each of four decades gets a quarter."""
    values = draws(floatv(1e-5, 1e-1, "log"))
    for exponent in range(-5, -1):
        assert share(values, 10.0**exponent, 10.0 ** (exponent + 1)) == pytest.approx(
            0.25, abs=0.03
        )


def test_reverse_log_scale_is_dense_near_the_top() -> None:
    """The mirror image of a log scale: 1 - momentum is log-uniform."""
    values = draws(floatv(0.001, 1.0, "reverse_log"))
    for exponent in range(-3, 0):
        low, high = 1.001 - 10.0 ** (exponent + 1), 1.001 - 10.0**exponent
        assert share(values, low, high) == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("choice", [intv(1, 1024, scale="log"), floatv(1, 1024, "log", step=1)])
def test_a_log_grid_is_log_uniform(choice: Any) -> None:
    """Each of ten octaves gets about a tenth; both ends are drawn."""
    values = draws(choice, 8000)
    assert {1, 1024} <= set(values)
    for octave in range(2, 10):
        assert share(values, 2**octave, 2 ** (octave + 1)) == pytest.approx(0.1, abs=0.025)
    assert all(v == round(v) for v in values)


@pytest.mark.parametrize("scale", ["linear", "log", "reverse_log"])
@pytest.mark.parametrize(("low", "high", "step"), [(1, 9, 2), (2, 9, 3), (5, 5, 1), (1, 2, 4)])
def test_whole_numbers_stay_on_their_grid(low: int, high: int, step: int, scale: str) -> None:
    """Exactly low, low + step, ... up to high, all of them, as ints."""
    values = draws(intv(low, high, step, scale), 600)
    assert set(values) == set(range(low, high + 1, step))
    assert {type(v) for v in values} == {int}


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0.1, 0.5, 0.1), (-0.3, 0.3, 0.1), (1e-14, 5e-14, 1e-14)]
)
def test_float_grids_have_no_dust(low: float, high: float, step: float) -> None:
    """0.30000000000000004 is 0.3; a tiny grid is a grid too; nothing passes the ends."""
    space = Space([floatv(low, high, step=step)])
    values = [d.values[0] for d in space.enumerate()]
    assert len(values) == round((high - low) / step) + 1
    assert all(len(repr(v)) <= 6 for v in values)
    assert all(v is not None and low <= v <= high for v in values)
    for record in space.enumerate():
        space.check(record.values)


def test_a_grid_that_does_not_reach_its_end() -> None:
    """The last step stays below max, on every scale."""
    for scale in ("linear", "log", "reverse_log"):
        assert set(draws(floatv(1.0, 10.0, scale, step=4.0), 400)) == {1.0, 5.0, 9.0}


def test_linear_draws_and_grids_are_uniform() -> None:
    """Every value of a grid equally often, ends included."""
    counts = collections.Counter(draws(intv(0, 4), 5000))
    assert all(abs(n - 1000) < 150 for n in counts.values())
    assert share(draws(floatv(-1.0, 1.0)), -1.0, 0.0) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("choice", "outcomes"),
    [
        (manyof(2, "abc"), 6),
        (manyof(2, "abc", distinct=False), 9),
        (manyof(2, "abc", sorted=True), 3),
        (manyof(2, "abc", distinct=False, sorted=True), 6),
        (permutate("abc"), 6),
        (manyof(3, "abc", sorted=True), 1),
    ],
)
def test_every_outcome_of_a_group_is_equally_likely(choice: Any, outcomes: int) -> None:
    """Also where slots must be distinct or sorted."""
    counts = collections.Counter(map(tuple, draws(choice, 600 * outcomes)))
    assert len(counts) == outcomes
    assert all(abs(n - 600) < 150 for n in counts.values())


def test_mutants_of_a_continuum_are_new() -> None:
    """A float is drawn again until it differs."""
    space, rng = Space([floatv(0.0, 1.0)]), random.Random(0)
    record = space.sample(rng)
    seen = {record}
    for _ in range(100):
        record = space.mutate(record, rng)
        seen.add(record)
    assert len(seen) == 101


def test_mutation_reaches_every_other_value_and_no_other() -> None:
    """Three candidates: the two others, each about half of the time."""
    space, rng = Space([oneof("abc")]), random.Random(0)
    start = space.decode({"[0]": "b"})
    counts = collections.Counter(space.mutate(start, rng)["[0]"] for _ in range(1000))
    assert set(counts) == {"a", "c"}
    assert abs(counts["a"] - 500) < 80


def test_a_rate_of_one_moves_every_decision() -> None:
    """Of independent points none stays."""
    space, rng = Space([oneof("ab") for _ in range(20)]), random.Random(0)
    record = space.sample(rng)
    mutant = space.mutate(record, rng, rate=1.0)
    assert all(x != y for x, y in zip(record.values, mutant.values, strict=True))


def test_a_permutation_mutated_at_a_rate_of_one_is_another() -> None:
    """Two slots that trade places twice would undo the mutation."""
    space = Space([permutate("ab")])
    record = space.sample(random.Random(0))
    for seed in range(30):
        assert space.mutate(record, random.Random(seed), rate=1.0) != record


def test_nothing_to_mutate() -> None:
    """A space of one record gives the record itself."""
    space = Space([oneof(["only"]), permutate(["one"]), manyof(2, "ab", sorted=True), intv(3, 3)])
    record = space.sample(random.Random(0))
    assert space.mutate(record, random.Random(0)) is record


# Enumerating ------------------------------------------------------------------------------------


def test_the_last_point_turns_fastest() -> None:
    """In the order of the points."""
    space = Space([oneof("ab"), intv(1, 2)])
    assert [tuple(d.as_dict().values()) for d in space.enumerate()] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


def test_enumeration_is_lazy() -> None:
    """A thousand decisions do not hinder the first record."""
    space = Space([oneof("ab") for _ in range(1000)])
    assert next(space.enumerate()).values == (0,) * 1000


def test_enumerating_a_continuum_takes_a_resolution() -> None:
    """Evenly on the scale, both ends exact; without it the point is named."""
    space = Space([floatv(1e-4, 1e-1, "log")])
    with pytest.raises(UserError, match=r"\[0\] is continuous"):
        space.enumerate()
    values = [d.values[0] or math.nan for d in space.enumerate(resolution=4)]
    assert values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert (values[0], values[-1]) == (1e-4, 1e-1)
    assert [d.values[0] for d in space.enumerate(1)] == pytest.approx([10**-2.5])


def test_an_empty_space_has_one_record() -> None:
    """A static program is a space of one."""
    space = Space({"a": [1, 2]})
    assert [d.values for d in space.enumerate()] == [()]
    assert space.size == 1
    assert space.sample(random.Random(0)).to_json() == "{}"
