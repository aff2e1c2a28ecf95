"""The arithmetic of a halving: lengths of rungs."""

from __future__ import annotations

import pytest

from automl_algorithms.weight_sharing._halving import LONGEST, Rung, rungs, share


def test_each_rung_costs_the_same() -> None:
    """8, 4 and 2 members for 1, 2 and 4 parts of the steps; one is left."""
    assert rungs(8, 300, 1000, 2.4) == [Rung(400, 4), Rung(600, 2), Rung(1000, 1)]
    assert rungs(8, 300, 1000, 0.1) == rungs(8, 300, 1000, 2.4)  # it can be no less patient
    assert rungs(2, 0, 10, 2.0) == [Rung(10, 1)]


@pytest.mark.parametrize("members", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("trainings", [0.3, 0.9, 1.7, 2.5, 4.0, 5.5])
def test_the_share_spends_the_trainings(members: int, trainings: float) -> None:
    """Members times steps, summed over the rungs: all that it can, and no more."""
    steps = 10_000
    begin = steps - round(share(members, trainings) * steps)
    every = rungs(members, begin, steps, trainings)
    spent, count, at = 0, members, begin
    for rung in every:
        spent += count * (rung.end - at)
        count, at = rung.keep, rung.end
    assert count == 1
    assert at == steps
    most = min(trainings, LONGEST * members)
    assert most * 0.97 <= spent / steps <= most * 1.001


def test_trainings_that_are_left_keep_members_longer() -> None:
    """Of a finish that takes all that it may, first each rung is later, then there is but one."""
    shorter, longer, whole = (rungs(7, 100, 1000, trainings) for trainings in (3.0, 4.0, 6.3))
    assert [rung.keep for rung in longer] == [4, 2, 1]
    assert all(a.end < b.end for a, b in zip(shorter[:-1], longer[:-1], strict=True))
    assert longer[0].end - 100 == pytest.approx(longer[1].end - longer[0].end, rel=0.1)
    assert [rung.end for rung in whole] == [1000, 1000, 1000]


def test_a_search_is_left_before_it() -> None:
    """However much a finish may cost."""
    assert share(8, 100.0) == LONGEST
    assert share(8, 0.0) == 0
