"""The tables of the literature."""

from __future__ import annotations

import pytest

from automl_algorithms.multi_trial._brackets import Rung, budgets, hpbandster, hyperband


def _sizes(brackets: list[list[Rung]]) -> list[list[int]]:
    return [[rung.size for rung in bracket] for bracket in brackets]


@pytest.mark.parametrize(
    ("full", "ladder", "sizes"),
    [
        (81, [1, 3, 9, 27, 81], [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]),
        (27, [1, 3, 9, 27], [[27, 9, 3, 1], [12, 4, 1], [6, 2], [4]]),
        (12, [1, 4, 12], [[9, 3, 1], [5, 1], [3]]),
    ],
)
def test_hyperband_tables(full: int, ladder: list[int], sizes: list[list[int]]) -> None:
    """Budgets and numbers of configurations for eta = 3; the first is the paper's Table 1."""
    assert budgets(full, 1, 3, whole=True) == ladder
    brackets = hyperband(ladder, 3)
    assert _sizes(brackets) == sizes
    for i, bracket in enumerate(brackets):
        assert [rung.budget for rung in bracket] == ladder[i:]


def test_hpbandster_table_of_nats_bench() -> None:
    """[9, 3, 1] @ [1, 4, 12], [3, 1] @ [4, 12], [3] @ [12]: 93 epochs and 20 validations."""
    brackets = hpbandster(budgets(12, 1, 3, whole=True), 3)
    assert brackets == [
        [Rung(9, 1), Rung(3, 4), Rung(1, 12)],
        [Rung(3, 4), Rung(1, 12)],
        [Rung(3, 12)],
    ]
    assert sum(n * b for n, b in brackets[0]) == 33
    assert sum(n * b for bracket in brackets for n, b in bracket) == 93
    assert sum(n for bracket in brackets for n, _ in bracket) == 20


@pytest.mark.parametrize("layout", [hyperband, hpbandster])
@pytest.mark.parametrize("eta", [2, 2.5, 3, 4])
@pytest.mark.parametrize("full", [8, 12, 81, 200])
def test_brackets_cost_about_the_same(layout: object, eta: float, full: int) -> None:
    """From scratch at most (s_max + 1) R, and a row of the first budget for the rounding up."""
    ladder = budgets(full, 1, eta, whole=True)
    brackets = layout(ladder, eta)  # type: ignore[operator]
    assert len(brackets) == len(ladder)
    for bracket in brackets:
        assert all(rung.size >= 1 for rung in bracket)
        total = sum(size * budget for size, budget in bracket)
        assert total <= len(ladder) * full + len(bracket) * bracket[0].budget


def test_budgets_end_with_the_full_one_and_begin_above_the_least() -> None:
    """Whatever they are, whole or not; without the dust of binary fractions."""
    assert budgets(200, 1, 3, whole=True) == [2, 7, 22, 66, 200]
    assert budgets(200, 5, 3, whole=True) == [7, 22, 66, 200]
    assert budgets(1.0, 0.1, 3, whole=False) == pytest.approx([1 / 9, 1 / 3, 1])
    assert budgets(0.9, 0.1, 3, whole=False) == pytest.approx([0.1, 0.3, 0.9])
    assert budgets(2, 1, 3, whole=True) == [2]


@pytest.mark.parametrize("eta", [2, 2.1, 3.3])
def test_whole_budgets_differ(eta: float) -> None:
    """Every rung trains further than the one below, for any full budget."""
    for full in range(2, 300):
        ladder = budgets(full, 1, eta, whole=True)
        assert ladder == sorted(set(ladder))
        assert ladder[0] >= 1
