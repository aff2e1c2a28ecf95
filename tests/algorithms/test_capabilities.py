"""What an algorithm cannot search is refused before the run, with the point and a way out."""

from __future__ import annotations

import pytest

from automl_algorithms.contract import Capabilities, check_capabilities
from automl_spaces.errors import Mark, UserError
from automl_spaces.objective import Objective
from tests.algorithms.driving import ONE, TWO
from tests.algorithms.spaces import space_of


def test_every_shortfall_is_told_at_once() -> None:
    """Continuous, conditional and grouped points are each named by their first occurrence."""
    nothing = Capabilities(continuous=False, conditional=False, groups=False)
    with pytest.raises(UserError) as caught:
        check_capabilities("fancy", nothing, space_of("mixed"), TWO, Mark("r.yaml", 4, 12))
    lines = str(caught.value).splitlines()
    assert [line.split(": ", 2)[2].split(":")[0] for line in lines] == [
        "fancy cannot search optimizer(adam).lr",
        "fancy cannot search optimizer(adam).lr",
        "fancy cannot search augment[0]",
        "fancy takes at most 1 objective(s), got accuracy, latency (these can",
    ]
    assert all(line.startswith("r.yaml:4:12: algorithm: ") for line in lines)
    assert lines[-1].endswith("(these can: bayesian, nsga2, random)")


def test_a_grid_needs_a_resolution_for_a_continuous_point() -> None:
    """The capability depends on the option, and the hint names who needs none."""
    from automl_algorithms.multi_trial.grid import Grid

    space = space_of("numbers")
    with pytest.raises(UserError, match="grid cannot search lr: it is continuous"):
        check_capabilities("grid", Grid().capabilities, space, ONE)
    check_capabilities("grid", Grid(resolution=2).capabilities, space, ONE)


def test_any_number_of_objectives() -> None:
    """None means no limit."""
    many = [Objective(f"m{i}") for i in range(9)]
    check_capabilities("x", Capabilities(max_objectives=None), space_of("cells"), many)
