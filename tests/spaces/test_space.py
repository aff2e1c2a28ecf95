"""Compiling a template, and the way from records to programs and back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import UserError
from automl_spaces.json_form import from_json, to_json
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol
from automl_spaces.traversal import walk

from .programs import SGD, Adam, Conv, Net, Pool, anything, static, train
from .strategies import LAW, small_spaces, spaces, templates

seeds = st.integers(0, 2**32).map(random.Random)


def optimizers() -> Any:
    """A choice between two optimizers, each with a number of its own."""
    return oneof([SGD(floatv(1e-3, 1.0, "log")), Adam(floatv(1e-5, 1e-2, "log"))])


# Laws over random spaces ------------------------------------------------------------------------


@LAW
@given(spaces, seeds)
def test_a_sample_is_valid(space: Space, rng: random.Random) -> None:
    """Whatever is drawn fits every rule of the space."""
    space.check(space.sample(rng).values)


@LAW
@given(spaces, seeds)
def test_records_round_trip(space: Space, rng: random.Random) -> None:
    """A record is read back from its JSON and from its mapping, exactly."""
    decisions = space.sample(rng)
    assert space.decode(decisions.to_json()) == decisions
    assert space.decode(decisions.as_dict()) == decisions
    assert space.decode(decisions.to_json()).to_json() == decisions.to_json()


@LAW
@given(spaces, seeds)
def test_programs_round_trip(space: Space, rng: random.Random) -> None:
    """The record of a materialised program materialises to the same program."""
    program = space.materialise(space.sample(rng))
    assert space.materialise(space.decisions_of(program)) == program


@LAW
@given(spaces, seeds)
def test_a_materialised_program_is_static_and_fresh(space: Space, rng: random.Random) -> None:
    """No choice is left, and two materialised programs share no node, list or mapping."""
    decisions = space.sample(rng)
    first, second = space.materialise(decisions), space.materialise(decisions)
    assert Space(first).points == ()
    mutable = (Symbol, list, dict)
    ours = {id(value) for _, value, _ in walk(first) if isinstance(value, mutable)}
    theirs = [value for _, value, _ in walk(second) if isinstance(value, mutable)]
    template = [v for _, v, _ in walk(space.template) if isinstance(v, mutable)]
    assert not any(id(value) in ours for value in [*theirs, *template])


@LAW
@given(small_spaces)
def test_enumerate_yields_every_record_once(space: Space) -> None:
    """As many distinct, valid records as the size says."""
    records = list(space.enumerate())
    assert len(records) == len(set(records)) == space.size
    for record in records:
        space.check(record.values)


@LAW
@given(small_spaces, seeds)
def test_every_sample_is_enumerated(space: Space, rng: random.Random) -> None:
    """Sampling and enumerating speak of the same records."""
    assert space.sample(rng) in set(space.enumerate())


@LAW
@given(templates)
def test_equal_spaces_have_equal_hashes(template: Any) -> None:
    """A clone and a copy from JSON span the same space."""
    space = Space(template)
    assert Space(template.clone()).hash == space.hash
    assert Space(from_json(to_json(template))).points == space.points


@LAW
@given(spaces)
def test_parents_come_before_children(space: Space) -> None:
    """And the slots of a group in order, without a condition of their own."""
    for point in space.points:
        assert space.points[point.index] is point
        assert all(parent < point.index for parent, _ in point.conditions)
        if point.group is not None:
            assert list(point.group.indices) == sorted(point.group.indices)
            conditions = {space.points[i].conditions for i in point.group.indices}
            assert len(conditions) == 1


# Compiling --------------------------------------------------------------------------------------


def test_ids_say_where_and_under_which_candidate() -> None:
    """Paths as in Python; a candidate's label in parentheses; a slot in brackets."""
    template = anything(
        model=Net([Conv(oneof([3, 5])), manyof(1, ["a", "b"])]),
        optimizer=optimizers(),
        tied=intv(1, 3, name="depth"),
    )
    assert [p.id for p in Space(template).points] == [
        "model.blocks[0].kernel_size",
        "model.blocks[1][0]",
        "optimizer",
        "optimizer(ToySGD).lr",
        "optimizer(ToyAdam).lr",
        "depth",
    ]


def test_conditions() -> None:
    """What stands in a candidate counts only under it; what also stands outside always counts."""
    shared = {"a": oneof([1, 2], name="s"), "b": oneof([{"k": oneof([1, 2], name="s")}, 3])}
    space = Space({"op": oneof([{"k": intv(1, 2)}, 5]), "x": shared})
    by_id = {p.id: p for p in space.points}
    inner = next(p for id, p in by_id.items() if id.startswith("op("))
    assert inner.conditions == ((by_id["op"].index, 0),)
    assert by_id["s"].conditions == ()


def test_awkward_keys_keep_their_places_apart() -> None:
    """A key with a dot is no path, and the number 1 is not the text "1"."""
    space = Space({"a.b": intv(1, 2), "a": {"b": intv(1, 3)}, 1: intv(1, 4), "1": intv(1, 5)})
    assert [p.id for p in space.points] == ["['a.b']", "a.b", "[1]", "['1']"]
    assert [p.cardinality for p in space.points] == [2, 3, 4, 5]
    decisions = space.sample(random.Random(0))
    assert space.decisions_of(space.materialise(decisions)) == decisions


def test_a_name_ties_decisions() -> None:
    """One name is one decision, wherever it stands."""
    space = Space(anything(a=oneof([1, 2], name="s"), b=[oneof([1, 2], name="s")]))
    assert [p.id for p in space.points] == ["s"]
    assert {(r["a"], r["b"][0]) for r in map(space.materialise, space.enumerate())} == {
        (1, 1),
        (2, 2),
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: oneof([1, 3], name="s"), "the choices named s differ: {1, 2} and {1, 3}"),
        (lambda: manyof(1, [1, 2], name="s"), "differ in kind"),
        (lambda: permutate([1, 2], name="s"), "differ in kind"),
    ],
)
def test_choices_of_one_name_must_agree(other: Any, message: str) -> None:
    """Tied choices of other candidates, kinds or counts are told, not merged."""
    with pytest.raises(UserError, match=message):
        Space([oneof([1, 2], name="s"), other()])


def test_a_choice_inside_of_itself() -> None:
    """A name cannot be decided below one of its own candidates."""
    with pytest.raises(UserError, match="the choice named s stands inside of itself"):
        Space([oneof([{"k": oneof([1, 2], name="s")}, 5], name="s")])


def test_selections_of_one_name_must_agree() -> None:
    """The number of slots and their rules belong to what is tied."""
    for other in (manyof(3, "abc", name="m"), manyof(2, "abc", sorted=True, name="m")):
        with pytest.raises(UserError, match="the choices named m differ in kind"):
            Space([manyof(2, "abc", name="m"), other])


def test_a_name_is_not_another_choices_place() -> None:
    """A name that happens to be a path would tie what nobody meant to tie."""
    with pytest.raises(UserError, match="lr is the name of one choice and the place of another"):
        Space(anything(a=oneof([1, 2], name="lr"), lr=oneof([1, 2])))


def test_choices_that_stand_in_each_other() -> None:
    """Two names cannot each depend on the other."""
    inner_b = oneof([{"a": oneof({"x": 1, "y": 2}, name="a")}, 2], name="b")
    with pytest.raises(UserError, match=r"depends on itself|stands inside of itself|differ"):
        Space([oneof({"x": {"b": inner_b}, "y": 2}, name="a"), inner_b.clone()])


def test_a_point_shared_below_a_late_slot_follows_the_whole_group() -> None:
    """The slots of a group are decided together, so what hangs on one comes after all."""
    tied = oneof([1, 2], name="tied")
    first = oneof([{"k": tied}, "other"])
    ops = manyof(2, ["a", {"k": oneof([1, 2], name="tied")}], sorted=True)
    space = Space({"first": first, "ops": ops})
    order = [p.id for p in space.points]
    assert order.index("tied") > order.index("ops[1]") > order.index("ops[0]")
    for seed in range(50):
        space.check(space.sample(random.Random(seed)).values)


def test_a_choice_edited_to_nonsense_is_told_when_compiled() -> None:
    """An edit of one bound may wait for the other; the space may not."""
    choice = floatv(0.0, 1.0)
    choice.rebind(min=2.0)
    with pytest.raises(UserError, match=r"min 2.0 is above max 1.0"):
        Space(anything(lr=choice))
    choice.rebind(max=3.0)
    assert Space(anything(lr=choice)).points[0].max == 3.0


# Records ----------------------------------------------------------------------------------------


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


# Matching ---------------------------------------------------------------------------------------


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
