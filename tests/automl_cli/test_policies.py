"""What is read off a policy."""

from __future__ import annotations

import math

import pytest

from automl_algorithms.weight_sharing.derivation import preferred
from automl_algorithms.weight_sharing.identified import entropy
from automl_cli.policies import has_learned, most_decided, read_policy


def test_entropy_is_a_share_of_the_largest() -> None:
    """1 when uniform, 0 when decided or when there is nothing to decide, else between."""
    assert entropy([0.2] * 5) == pytest.approx(1)
    assert entropy([0.0, 1.0, 0.0]) == 0
    assert entropy([1.0]) == entropy([]) == 0
    half = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert entropy([0.75, 0.25]) == pytest.approx(half)


def test_the_most_decided_come_first() -> None:
    """By entropy, of equal ones the first; what has one candidate is no decision."""
    policy = {0: [0.5, 0.5], 1: [0.9, 0.1], 2: [1.0], 3: [0.0, 1.0], 4: [0.1, 0.9]}
    assert most_decided(policy) == [3, 1, 4, 0]
    assert [preferred(policy[i]) for i in (0, 1, 3)] == [0, 0, 1]


def test_a_uniform_policy_has_learned_nothing() -> None:
    """Also after six decimals; one decision that moved is enough."""
    third = [0.333333] * 3
    assert not has_learned({0: third, 1: [1.0]})
    assert has_learned({0: third, 1: [0.6, 0.4]})


def test_a_row_of_the_ledger() -> None:
    """JSON has names of keys, a policy indices."""
    assert read_policy('{"0": [0.5, 0.5], "12": [1.0]}') == {0: [0.5, 0.5], 12: [1.0]}
