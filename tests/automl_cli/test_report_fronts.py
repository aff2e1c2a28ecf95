"""Pareto fronts of groups and their hypervolumes."""

from __future__ import annotations

import pytest

from automl_cli.report_fronts import fronts, growth
from automl_cli.study_report import Group, grouped
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from tests.automl_cli.report_studies import NAN, row, study

GOALS = (Objective("gain"), Objective("cost", "minimize"))


def _group(*seeds: list[tuple[float, float]], goals: tuple[Objective, ...] = GOALS) -> Group:
    studies = [
        study([g for g, _ in points], row(seed=i, goals=goals), cost=[c for _, c in points])
        for i, points in enumerate(seeds)
    ]
    return grouped(studies)[0]


def test_hypervolume_per_seed_from_a_given_reference() -> None:
    """In the units of the metrics, each in its direction; the front of all seeds together."""
    group = _group([(2.0, 1.0), (4.0, 3.0), (1.0, 2.0)], [(3.0, 1.0), (NAN, 0.0)])
    (found,) = fronts([group], (0.0, 4.0))
    assert found.sizes == [2, 1]
    assert found.volumes.tolist() == [2 * 3 + 2 * 1, 3 * 3]
    assert found.points == [(3.0, 1.0), (4.0, 3.0)]
    assert found.moments() == (8.5, pytest.approx(0.5**0.5))


def test_the_worst_seen_is_the_reference_of_all_groups() -> None:
    """Groups are measured from the same point."""
    a, b = _group([(2.0, 1.0), (1.0, 5.0)]), _group([(3.0, 2.0), (0.5, 2.0)])
    found = fronts([a, b], None)
    assert [f.reference for f in found] == [(0.5, 5.0)] * 2
    assert [f.volumes.tolist() for f in found] == [[1.5 * 4], [2.5 * 3]]


def test_three_objectives_have_a_hypervolume() -> None:
    """From the worst of each by default."""
    goals = (*GOALS, Objective("size", "minimize"))
    about = row(goals=goals)
    (group,) = grouped([study([1.0, 2.0, 0.5], about, cost=[1.0, 2.0, 3.0], size=[2.0, 1.0, 3.0])])
    (found,) = fronts([group], None)
    assert found.points == [(1.0, 1.0, 2.0), (2.0, 2.0, 1.0)]
    assert found.reference == (0.5, 3.0, 3.0)
    assert found.volumes.tolist() == [0.5 * 2 * 1 + 1.5 * 1 * 2 - 0.5 * 1 * 1]


def test_five_objectives_have_a_front_and_no_hypervolume() -> None:
    """Asking for one anyway is told why not."""
    goals = (*GOALS, *(Objective(name) for name in "abc"))
    columns = {name: [1.0] for name in ("cost", "a", "b", "c")}
    (group,) = grouped([study([1.0], row(goals=goals), **columns)])
    (found,) = fronts([group], None)
    assert (found.sizes, found.reference) == ([1], None)
    with pytest.raises(UserError, match="up to 4 objectives, and there are 5: gain, cost, a"):
        fronts([group], (0.0,) * 5)


def test_trials_outside_of_constraints_are_on_no_front() -> None:
    """However good they are; nor do they move the reference."""
    about = row(goals=GOALS)
    met = [1.0, 0.0, 1.0]
    (group,) = grouped([study([1.0, 9.0, 2.0], about, cost=[1.0, 0.5, 3.0], constraints_met=met)])
    (found,) = fronts([group], None)
    assert found.points == [(1.0, 1.0), (2.0, 3.0)]
    assert found.reference == (1.0, 3.0)


def test_a_reference_of_the_wrong_length() -> None:
    """The objectives are named in their order."""
    with pytest.raises(UserError, match="each of gain, cost"):
        fronts([_group([(1.0, 1.0)])], (1.0,))


def test_no_completed_trial() -> None:
    """A front of nothing, and no reference to measure from."""
    (found,) = fronts([_group([(NAN, NAN)])], None)
    assert (found.sizes, found.points, found.reference) == ([0], [], None)


def test_the_hypervolume_grows_to_that_of_the_front() -> None:
    """A point that another is better than adds nothing; the last value is the whole front's."""
    points = [(2.0, 1.0), (1.0, 2.0), (4.0, 3.0)]
    grown = growth(points, GOALS, (0.0, 4.0))
    assert grown == [6.0, 6.0, 8.0]
    (found,) = fronts([_group(points)], (0.0, 4.0))
    assert grown[-1] == found.volumes[0]
