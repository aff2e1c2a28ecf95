"""Gates: what is set is what is used."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing.gates import Choose, Gate, Interpolate, Mix, Pick
from automl_spaces.choices import intv, oneof
from automl_spaces.space import Space


def gate(choice: Any = None) -> Gate:
    """Of three kernel sizes, or of another choice."""
    return Gate(Space({"kernel": choice or oneof([3, 5, 7])}).points[0])


def test_a_gate_knows_its_candidates() -> None:
    """Numbers where all are numbers, labels otherwise, the grid of a whole number."""
    assert gate().values == (3, 5, 7)
    assert gate(oneof(["conv", 5])).values == ("conv", "5")
    assert gate(intv(2, 8, step=3)).values == (2, 5, 8)
    assert gate().size == 3


def test_what_is_set_is_what_is_used() -> None:
    """Each call replaces the one before."""
    g, weights, q = gate(), torch.full((3,), 1 / 3), torch.full((2,), 0.5)
    g.choose(2)
    assert g.use() == Choose(2)
    g.mix(weights)
    assert g.use() == Mix(weights)
    g.pick(weights, 1, "sum")
    assert g.use() == Pick(weights, 1, "sum")
    g.interpolate(2, 0, q)
    assert g.use() == Interpolate(2, 0, q)


def test_a_gate_that_is_not_set_says_which() -> None:
    """At the beginning and after a reset."""
    g = gate()
    with pytest.raises(RuntimeError, match="kernel"):
        g.use()
    g.choose(0)
    g.reset()
    with pytest.raises(RuntimeError, match="kernel"):
        g.use()


def test_a_draw_is_fresh_at_each_use() -> None:
    """The sampler is asked every time, and what it says is checked."""
    g, indices = gate(), iter([2, 0, 1, 3])
    assert not g.drawn
    g.draw(lambda: next(indices))
    assert g.drawn
    assert [g.use() for _ in range(3)] == [Choose(2), Choose(0), Choose(1)]
    with pytest.raises(IndexError, match="kernel has 3 candidates"):
        g.use()


def test_wrong_settings_are_refused() -> None:
    """An index too far, weights of another size, a width with itself."""
    g = gate()
    with pytest.raises(IndexError, match="kernel"):
        g.choose(3)
    with pytest.raises(IndexError, match="kernel"):
        g.choose(-1)
    with pytest.raises(ValueError, match=r"shape \[3\], got \[2\]"):
        g.mix(torch.ones(2))
    with pytest.raises(ValueError, match="itself"):
        g.interpolate(1, 1, torch.ones(2))


@pytest.mark.parametrize("gradient", ["all", "sum", "selected"])
def test_a_hard_choice_is_one_hot_exactly(gradient: Any) -> None:
    """In value; the gradient goes to all weights, or to the selected one alone."""
    weights = torch.tensor([0.3, 0.1, 0.6], requires_grad=True)
    hard = Pick(weights, 1, gradient).hard
    assert hard.tolist() == [0.0, 1.0, 0.0]
    (hard * torch.tensor([5.0, 6.0, 7.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert weights.grad.tolist() == ([0.0, 6.0, 0.0] if gradient == "selected" else [5, 6, 7])


def test_a_copy_of_a_gate_is_the_gate() -> None:
    """`torch.nn.TransformerEncoder`, for one, deep-copies the layer that it is given."""
    g = gate()
    assert copy.deepcopy([g])[0] is g
