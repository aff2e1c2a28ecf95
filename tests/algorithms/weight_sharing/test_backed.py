"""What stays the static program, and which changes of it are made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_algorithms.weight_sharing._backed import backed
from automl_algorithms.weight_sharing.identified import BACKED
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import arm, casino, prices, search, sequence

SIZE, CANDIDATES = 6, 4


@symbolize
def program(**decisions: int) -> int:
    """A static program whose choices are told apart by their names."""
    return sum(decisions.values())


SPACE = Space(program(**{f"p{i}": oneof(list(range(CANDIDATES))) for i in range(SIZE)}))
PLACES = st.lists(st.integers(0, CANDIDATES - 1), min_size=SIZE, max_size=SIZE)
EVIDENCE = st.lists(st.floats(-6, 6), min_size=SIZE, max_size=SIZE)


def record(places: list[int]) -> Decisions:
    """All points are active, and a value is its place."""
    return Decisions(SPACE, tuple(places))


def preferring(places: list[int]) -> Mapping[int, list[float]]:
    """A policy whose most probable candidates are these."""
    return {
        index: [0.7 if place == best else 0.1 for place in range(CANDIDATES)]
        for index, best in enumerate(places)
    }


@given(PLACES, PLACES, EVIDENCE)
def test_without_costs_exactly_what_is_backed_changes(
    static: list[int], best: list[int], evidence: list[float]
) -> None:
    """Every other decision is the static program's."""
    found = backed(record(static), preferring(best), lambda i, *_: evidence[i], lambda _: True, {})
    wanted = [
        b if known >= BACKED else s for s, b, known in zip(static, best, evidence, strict=True)
    ]
    assert found == record(wanted)


@given(PLACES, PLACES, EVIDENCE, st.integers(0, 3))
def test_the_costs_are_met_and_nothing_more_could_be_changed(
    static: list[int], best: list[int], evidence: list[float], room: int
) -> None:
    """Here the cost is a sum that may be off by so much."""

    def meets(decisions: Decisions) -> bool:
        return abs(sum(v or 0 for v in decisions.values) - sum(static)) <= room

    found = backed(record(static), preferring(best), lambda i, *_: evidence[i], meets, {})
    assert found is not None
    assert meets(found)
    for index, (was, is_, then) in enumerate(zip(static, found.values, best, strict=True)):
        assert is_ in {was, then}
        if is_ != was:
            assert evidence[index] >= BACKED
        elif was != then and evidence[index] >= BACKED:
            more = list(found.values)
            more[index] = then
            assert not meets(Decisions(SPACE, tuple(more)))


def test_a_change_waits_for_one_that_pays_for_it() -> None:
    """The better one is too dear alone, and is made after a cheaper one has made room."""
    meets = lambda d: d.values[0] + d.values[1] <= 3  # noqa: E731
    static, best = record([1, 2, 0, 0, 0, 0]), preferring([2, 1, 0, 0, 0, 0])
    found = backed(static, best, lambda i, *_: 9.0 - i, meets, {})
    assert found == record([2, 1, 0, 0, 0, 0])


def test_a_static_program_that_does_not_meet_the_costs_is_no_beginning() -> None:
    """Then what the policy prefers is all that there is."""
    assert backed(record([0] * 6), preferring([1] * 6), lambda *_: 9, lambda _: False, {}) is None


def tuned(
    band: tuple[float, float] | None, worth: float, **options: object
) -> tuple[list[int], list[int]]:
    """Places that TuNAS derives, and those of its policy alone.

    There are five decisions of three arms, of which the static program has the first; only the
    first decision matters, and its last arm is worth so much more. The middle arm is dear.
    """
    equal = [0.5, 0.5 + 1e-9, 0.5 - 1e-9]  # but no two candidates are the same
    rows = [[*equal[:2], 0.5 + worth], *[equal] * 4]
    choices = [oneof(row, default=row[0]) for row in ([arm(w / 5) for w in row] for row in rows)]
    net = lower(Space(casino(model=sequence(*choices))))
    costs = prices(net, [[1.0, 3.0, 1.0]] * 5)
    task = Task(Objective("accuracy"), 0, costs, {} if band is None else {"price": band})
    tunas = search(TuNAS(**options), net, 300, task)  # type: ignore[arg-type]
    first = next(tunas.derive(lambda: None))
    policy = tunas.policy()
    return (
        [p.place(v) for p, v in zip(net.space.points, first.values, strict=True)],
        [max(range(3), key=policy[p.index].__getitem__) for p in net.space.points],
    )


@pytest.mark.parametrize("band", [None, (4.9, 5.1)])
def test_tunas_changes_what_matters_and_nothing_else(band: tuple[float, float] | None) -> None:
    """The other decisions, about which no reward says anything, stay the static program's."""
    derived, _ = tuned(band, 1.0)
    assert derived == [2, 0, 0, 0, 0]


def test_tunas_ends_with_its_policy_where_that_is_asked_for() -> None:
    """As the paper has it."""
    derived, policy = tuned(None, 1.0, unidentified="policy")
    assert derived == policy
    assert derived[0] == 2


def test_tunas_ends_with_its_policy_where_the_static_program_is_too_dear() -> None:
    """It costs 5, and is no place to begin at when 9 is wanted."""
    derived, policy = tuned((8.5, 9.5), 1.0)
    assert derived == policy
