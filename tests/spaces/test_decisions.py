"""Records as data: readable, exact, and checked against their space."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from automl_spaces.choices import floatv, manyof, oneof
from automl_spaces.errors import UserError
from automl_spaces.space import Space

from .programs import SGD, Adam, Conv, Net, anything, train


def optimizers() -> Any:
    """A choice between two optimizers, each with a number of its own."""
    return oneof([SGD(floatv(1e-3, 1.0, "log")), Adam(floatv(1e-5, 1e-2, "log"))])


def test_a_record_is_readable() -> None:
    """Ids and labels, compact, active points only; numbers as numbers."""
    space = Space(train(Net([Conv(oneof([3, 5]))]), optimizers(), lr=floatv(0.0, 1.0)))
    decisions = space.complete([1, 0, 0.5, None, 0.25], random.Random(0))
    assert decisions.to_json() == (
        '{"model.blocks[0].kernel_size":5,"optimizer":"ToySGD","optimizer(ToySGD).lr":0.5,"lr":0.25}'
    )
    assert decisions["optimizer"] == "ToySGD"
    assert decisions["optimizer(ToyAdam).lr"] is None


def test_records_of_one_space_compare_by_content() -> None:
    """Equal records are equal and hash alike; those of another space are not."""
    space = Space([oneof([1, 2])])
    a, b = space.decode('{"[0]":1}'), space.decode({"[0]": 1})
    assert a == b
    assert len({a, b}) == 1
    assert a != Space([oneof([1, 3])]).decode({"[0]": 1})
    assert a != "something else"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", "not a decision record"),
        ("[1]", "not a decision record"),
        ("[" * 100_000, "not a decision record"),
        ({"optimiser": "ToySGD"}, r"no decision point optimiser \(did you mean optimizer\?\)"),
        ({"optimizer": "ToySDG"}, r"optimizer: 'ToySDG' is not in .* \(did you mean ToySGD\?\)"),
        ({"optimizer": "ToySGD"}, r"optimizer\(ToySGD\).lr: is not decided"),
        (
            {"optimizer": "ToySGD", "optimizer(ToySGD).lr": 0.1, "optimizer(ToyAdam).lr": 0.001},
            r"optimizer\(ToyAdam\).lr: is decided and does not count here",
        ),
        ({"optimizer": "ToySGD", "optimizer(ToySGD).lr": 7.0}, r"7.0 is not in float \[0.001, 1\]"),
        ({"optimizer": "ToySGD", "optimizer(ToySGD).lr": True}, "True is not in"),
    ],
)
def test_a_record_that_does_not_fit(record: Any, message: str) -> None:
    """The reason, the point and the nearest name."""
    with pytest.raises(UserError, match=message):
        Space(anything(optimizer=optimizers())).decode(record)


def test_every_fault_of_a_record_at_once() -> None:
    """Three faults, three problems."""
    space = Space([oneof([1, 2]), oneof([1, 2]), oneof([1, 2])])
    with pytest.raises(UserError) as caught:
        space.decode({"[0]": 9, "[1]": 1, "[3]": 1, "[2]": True})
    assert [p.message.partition(":")[0] for p in caught.value.problems] == [
        "[0]",
        "no decision point [3]",
        "[2]",
    ]


def test_group_rules_are_checked() -> None:
    """Distinct slots that repeat and sorted ones out of order are told."""
    space = Space({"d": manyof(2, "abc", sorted=True)})
    with pytest.raises(UserError, match="must be distinct and sorted"):
        space.decode({"d[0]": "b", "d[1]": "a"})
    with pytest.raises(UserError, match="must be distinct and sorted"):
        space.check((1, 1))
    with pytest.raises(UserError, match="1 values for 2 decision points"):
        space.check((1,))


def test_a_record_survives_a_new_candidate_and_reordered_arguments() -> None:
    """Keyed by id and label: positions do not matter."""
    old = Space(anything(op=oneof(["conv", "pool"]), k=oneof([3, 5]), o=optimizers()))
    sgd_first = optimizers()
    more = oneof(["skip", "pool", "conv"])
    wider = anything(o=sgd_first, k=oneof([7, 5, 3]), op=more)
    new = Space(wider)
    assert new.hash != old.hash
    for seed in range(20):
        decisions = old.sample(random.Random(seed))
        assert new.materialise(new.decode(decisions.to_json())) == old.materialise(decisions)


def test_a_record_of_a_candidate_that_is_gone_is_told() -> None:
    """Never decoded to another value."""
    record = Space([oneof(["conv", "pool"])]).decode({"[0]": "pool"}).to_json()
    with pytest.raises(UserError, match="'pool' is not in"):
        Space([oneof(["conv", "skip"])]).decode(record)


def test_numbers_and_texts_are_told_apart() -> None:
    """1, "1", true, null and 1.5 as candidates of one choice."""
    space = Space([oneof([1, "1", True, None, "null", 1.5])])
    seen = [space.materialise(space.decode(d.to_json()))[0] for d in space.enumerate()]
    assert [repr(v) for v in seen] == ["1", "'1'", "True", "None", "'null'", "1.5"]


def test_numbers_that_json_does_not_know() -> None:
    """Infinity and NaN are candidates like others."""
    space = Space([oneof([1.0, float("inf"), float("nan")])])
    for decisions in space.enumerate():
        json.loads(decisions.to_json(), parse_constant=pytest.fail)
        assert space.decode(decisions.to_json()) == decisions
