"""From a template to decision points: ids, conditions, shared names."""

from __future__ import annotations

import random
from typing import Any

import pytest

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import UserError
from automl_spaces.space import Space

from .programs import SGD, Adam, Conv, Net, anything


def optimizers() -> Any:
    """A choice between two optimizers, each with a number of its own."""
    return oneof([SGD(floatv(1e-3, 1.0, "log")), Adam(floatv(1e-5, 1e-2, "log"))])


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
