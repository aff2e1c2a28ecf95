"""The picture of a policy: what is drawn is what was given, within bounds."""

from __future__ import annotations

import io

import pytest

from automl_cli.plots_policy import MOST_DECISIONS, policy

NAMES = {0: ("model.op", ["skip", "conv"]), 1: ("model.width", ["8", "16", "32"])}


def test_a_row_for_each_candidate() -> None:
    """Colours are probabilities, steps are edges, and the end's preference stands on the right."""
    steps = [10, 15]
    policies = [{0: [0.5, 0.5], 1: [0.2, 0.3, 0.5]}, {0: [0.9, 0.1], 1: [0.1, 0.7, 0.2]}]
    figure = policy(steps, policies, NAMES, "title")
    axes = figure.axes[0]
    mesh = axes.collections[0]
    assert mesh.get_array().tolist() == [[0.5, 0.9], [0.5, 0.1], [0.2, 0.1], [0.3, 0.7], [0.5, 0.2]]
    assert sorted({x for x, _ in mesh.get_coordinates().reshape(-1, 2).tolist()}) == [0, 10, 15]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["model.op", "model.width"]
    assert [t.get_text() for t in axes.texts] == [" skip 0.90", " 16 0.70"]


def test_many_decisions_and_steps_are_bounded() -> None:
    """The most decided ones stay, in the order of the program; the last step is among them."""
    chances = {i: [0.5 + i / 1000, 0.5 - i / 1000] for i in range(100)}
    names = {i: (f"op[{i}]", ["a", "b"]) for i in range(100)}
    figure = policy(range(1, 1001), [chances] * 1000, names)
    mesh = figure.axes[0].collections[0]
    rows, columns = mesh.get_array().shape
    assert rows == 2 * MOST_DECISIONS
    assert 200 <= columns <= 300
    shown = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert shown == [f"op[{i}]" for i in range(60, 100)]
    assert mesh.get_coordinates()[0, -1, 0] == 1000


@pytest.mark.parametrize("chances", [{}, {0: [1.0]}, {0: [0.01] * 300}])
def test_strange_policies_can_be_drawn(chances: dict[int, list[float]]) -> None:
    """Nothing to decide, or more candidates than there are rows."""
    names = {i: ("x", ["?"] * len(c)) for i, c in chances.items()}
    policy([1], [chances], names).savefig(io.BytesIO())
