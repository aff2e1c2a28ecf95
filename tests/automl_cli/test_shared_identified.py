"""Which decisions of a policy count as found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automl_algorithms.weight_sharing.identified import clear
from automl_cli.ledger_schema import SupernetRow
from automl_cli.shared_identified import Found, identification, line
from automl_spaces import oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space


def program(lr: float, decay: float, kind: Any) -> None:
    """Three decisions and one below the last."""


def space() -> Space:
    """Five rates, two decays, two kinds of which one has a choice of three."""
    inner = symbolize(dict)(depth=oneof([1, 2, 3]))
    rates = oneof([0.001, 0.01, 0.1, 1.0, 3.0])
    return Space(symbolize(program)(rates, oneof([0.0, 0.1]), oneof({"plain": 0, "deep": inner})))


def row(policy: dict[int, list[float]], **metrics: float) -> SupernetRow:
    """The last one of a supernet."""
    text = json.dumps({str(i): chances for i, chances in policy.items()})
    return SupernetRow(10, 10, 1.0, json.dumps(metrics), text, 0.0)


POLICY = {
    0: [0.05, 0.05, 0.45, 0.4, 0.05],
    1: [0.3, 0.7],
    2: [0.9, 0.1],
    3: [0.2, 0.2, 0.6],
}


@pytest.mark.parametrize(
    ("candidates", "expected"), [(2, 0.75), (3, 2 / 3), (4, 0.5), (5, 0.4), (10, 0.2)]
)
def test_clear_is_twice_what_is_even(candidates: int, expected: float) -> None:
    """And half way to certainty where twice would be more than that."""
    assert clear(candidates) == pytest.approx(expected)


def test_decisions_are_told_with_their_candidates() -> None:
    """By id, with the value that a record has."""
    found = identification(space(), row(POLICY))
    assert [each.id for each in found] == ["lr", "decay", "kind", "kind(deep).depth"]
    assert [each.value for each in found] == [0.1, 0.1, "plain", 3]
    assert [each.identified for each in found] == [True, False, True, False]
    assert found[0].as_data()["identified"] is True


def test_chance_is_no_finding() -> None:
    """A preference that the evidence does not back."""
    found = identification(space(), row(POLICY, **{"evidence/0": 1.2, "evidence/2": 4.0}))
    assert [each.evidence for each in found] == [1.2, None, 4.0, None]
    assert [each.identified for each in found] == [False, False, True, False]


def test_only_decisions_that_count_in_the_record() -> None:
    """What stands below another candidate is left out."""
    record = space().decode({"lr": 0.1, "decay": 0.1, "kind": "plain"})
    assert len(identification(space(), row(POLICY), record)) == 3


def test_a_policy_that_never_learned_has_nothing_to_tell() -> None:
    """Random search is uniform to the end."""
    assert identification(space(), row({0: [0.2] * 5, 1: [0.5, 0.5]})) == []
    assert identification(space(), None) == []


def test_the_line_names_what_is_open() -> None:
    """Some of many; nothing where all is found."""
    found = identification(space(), row(POLICY))
    text = line(found)
    assert text is not None
    assert text.startswith("not identified, 2 of 4 decisions: decay (0.70 for 0.1, one of 2), ")
    many = [Found(f"p{i}", 1, 0.1, 5, None) for i in range(9)]
    assert str(line(many)).endswith("and 5 more")
    assert line([each for each in found if each.identified]) is None
