"""Mean ranks of algorithms over recipes and seeds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from automl_cli.report_ranks import mean_ranks, ranks
from automl_cli.study_report import grouped
from automl_spaces.objective import Objective
from tests.automl_cli.report_studies import NAN, group, row, study


@given(st.lists(st.lists(st.integers(0, 3).map(float), min_size=4, max_size=4), min_size=1))
def test_ranks_are_those_of_scipy(rewards: list[list[float]]) -> None:
    """1 for the highest, ties averaged."""
    table = np.array(rewards)
    assert np.array_equal(ranks(table), rankdata(-table, axis=1))


def test_the_mean_rank_is_over_recipes_and_seeds() -> None:
    """Values of recipes that are far apart count the same; the direction is the objective's."""
    low = (Objective("m", "minimize"),)
    found = mean_ranks([
        group([0.9], [0.5], name="one", algorithm="a", space="1"),
        group([0.8], [0.6], name="one", algorithm="b", space="1"),
        group([700.0], name="two", algorithm="a", space="2", goals=low),
        group([900.0], name="two", algorithm="b", space="2", goals=low),
    ])  # fmt: skip
    assert found is not None
    assert found.mean == {"a": 4 / 3, "b": 5 / 3}
    assert list(found.mean) == ["a", "b"]
    assert (found.problems, found.blocks, found.left_out) == (2, 3, [])


def test_only_what_all_ran_counts() -> None:
    """An algorithm with a single seed must not reduce the ranks of the others to that seed."""
    found = mean_ranks([
        group([1.0], [1.0], [1.0], algorithm="a"),
        group([2.0], [2.0], [2.0], algorithm="b"),
        group([3.0], algorithm="c"),
    ])  # fmt: skip
    assert found is not None
    assert found.mean == {"b": 1.0, "a": 2.0}
    assert (found.blocks, found.left_out) == (3, ["c"])


def test_a_search_without_any_result_is_the_worst() -> None:
    """It ran and found nothing."""
    found = mean_ranks([group([NAN], algorithm="a"), group([-5.0], algorithm="b")])
    assert found is not None
    assert found.mean == {"b": 1.0, "a": 2.0}


def test_options_make_another_algorithm_and_names_no_other_recipe() -> None:
    """Two recipe files with the same program and space are one problem."""
    studies = [study([1.0], row("one")), study([2.0], row("two", options={"n": 3}))]
    found = mean_ranks(grouped(studies))
    assert found is not None
    assert found.mean == {"random(n=3)": 1.0, "random": 2.0}


def test_nothing_in_common_is_no_rank() -> None:
    """One algorithm, or different recipes, or different seeds."""
    assert mean_ranks([]) is None
    assert mean_ranks([group([1.0])]) is None
    apart = [group([1.0], algorithm="a", space="1"), group([1.0], algorithm="b", space="2")]
    assert mean_ranks(apart) is None
