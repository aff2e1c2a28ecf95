"""Which decisions lead to a given program."""

from __future__ import annotations

import random

import pytest

from automl_spaces.choices import floatv, manyof, oneof
from automl_spaces.errors import UserError
from automl_spaces.space import Space

from .programs import SGD, Adam, Conv, Net, Pool, anything, static, train


def test_a_program_outside_of_the_space() -> None:
    """Another value, another class, a longer list, a further argument: told."""
    space = Space(train(Net([Conv(oneof([3, 5]))])))
    for program in (
        train(Net([Conv(7)])),
        train(Net([Pool(3)])),
        train(Net([Conv(3), Conv(3)])),
        train(Net([Conv(3)]), epochs=3),
        train(Net([Conv(3, stride=2)])),
    ):
        with pytest.raises(UserError, match="lies outside of the space"):
            space.decisions_of(program)


def test_a_default_that_is_given_matches_one_that_is_not() -> None:
    """Conv(3) and Conv(3, stride=1) are the same program."""
    space = Space(train(Net([Conv(oneof([3, 5]))])))
    found = space.decisions_of(train(Net([Conv(stride=1, kernel_size=3)], width=1.0), epochs=8))
    assert found.to_json() == '{"model.blocks[0].kernel_size":3}'


def test_matching_goes_back_when_a_shared_name_rules_a_candidate_out() -> None:
    """The first candidate fits alone and not with what the name decides elsewhere."""
    tied = oneof([1, 2], name="s")
    space = Space(anything(n=tied, b=oneof([oneof([1, 2], name="s"), 1, 2])))
    found = space.decisions_of(anything(n=1, b=2))
    assert found.as_dict() == {"s": 1, "b": "2"}


def test_matching_goes_back_when_slots_must_differ() -> None:
    """Overlapping candidates of distinct slots find the assignment that exists."""
    space = Space([manyof(2, [oneof([1, 2]), 1])])
    assert space.materialise(space.decisions_of([[1, 2]])) == [[1, 2]]
    assert space.materialise(space.decisions_of([[1, 1]])) == [[1, 1]]


def test_a_wide_program_is_matched_without_recursion() -> None:
    """Thousands of places do not exhaust the stack."""
    space = Space([oneof([1, 2]) for _ in range(3000)])
    decisions = space.sample(random.Random(0))
    assert space.decisions_of(space.materialise(decisions)) == decisions


def test_the_default_is_the_program_that_the_choices_replaced() -> None:
    """It is a record of the space like any other."""
    program = static()
    template = program.clone()
    template.rebind(
        {
            "model.blocks[0].kernel_size": oneof([3, 5], default=3),
            "optimizer": oneof([SGD(floatv(0.01, 1.0), 0.9), Adam(0.1)], default=SGD(0.1, 0.9)),
            "lr": floatv(0.0, 1.0, step=0.1, default=0.1),
        }
    )
    space = Space(template)
    default = space.default()
    assert default is not None
    assert space.materialise(default) == program


def test_no_default() -> None:
    """Nothing remembered, or remembered and outside of the candidates."""
    assert Space([oneof([1, 2])]).default() is None
    assert Space([oneof([1, 2], default=3)]).default() is None
    assert Space([oneof([1, 2], default=2), oneof([1, 2])]).default() is None


def test_a_default_on_a_grid_is_the_grids_number() -> None:
    """0.1 + 0.2 is 0.3 there, so the record is the one that sampling draws."""
    space = Space([floatv(0.0, 1.0, step=0.1, default=0.1 + 0.2)])
    default = space.default()
    assert default is not None
    assert default.values == (0.3,)
    assert space.decode(default.to_json()) == default
