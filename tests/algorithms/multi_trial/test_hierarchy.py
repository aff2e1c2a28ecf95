"""Chances by where a decision stands in the program."""

from __future__ import annotations

import pytest

from automl_algorithms.multi_trial._hierarchy import chances
from tests.algorithms.spaces import space_of


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["lr"], [1]),
        (["edges[0]", "edges[1]", "edges[2]", "edges[3]"], [1 / 4] * 4),
        (["model.cell[0][0]", "model.cell[1][0]", "model.cell[1][1]"], [1 / 2, 1 / 4, 1 / 4]),
        (["model.width", "model.depth", "lr"], [1 / 4, 1 / 4, 1 / 2]),
        (["op", "op(conv).width", "op(conv).kernel", "lr"], [1 / 4, 1 / 8, 1 / 8, 1 / 2]),
        (["op(f(k=[3])).a", "op(f(k=[3])).b.c", "op(f(k=[3])).b.d"], [1 / 2, 1 / 4, 1 / 4]),
        (["sizes['a.b']", "sizes.c"], [1 / 2, 1 / 2]),
    ],
)
def test_every_branch_is_equally_likely(ids: list[str], expected: list[float]) -> None:
    """At each branching; levels with one branch change nothing."""
    assert chances(ids) == pytest.approx(expected)


def test_chances_add_up() -> None:
    """On a space with every kind of point, and for labels that look like anything."""
    ids = [p.id for p in space_of("mixed").points]
    for some in (ids, [f"op({label}).x" for label in ("a)", "((b", "[c", ").(", ")].[")]):
        found = chances(some)
        assert sum(found) == pytest.approx(1)
        assert min(found) > 0
