"""From a trial back to where its training began."""

from __future__ import annotations

from automl_algorithms.contract import Plan
from automl_algorithms.multi_trial._lineage import lineage
from tests.algorithms.spaces import space_of


def test_lineage_is_root_first() -> None:
    """Through promotions and exploits; other branches do not matter."""
    decisions = next(space_of("finite").enumerate())
    parents = {0: None, 1: None, 2: 1, 3: 1, 4: 3, 5: 0}
    plans = {i: Plan(decisions, 1.0, parent) for i, parent in parents.items()}
    assert lineage(plans, 4) == [1, 3, 4]
    assert lineage(plans, 5) == [0, 5]
    assert lineage(plans, 1) == [1]
