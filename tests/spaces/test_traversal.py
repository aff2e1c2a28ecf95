"""Walking, finding, editing and comparing trees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_spaces.choices import oneof
from automl_spaces.errors import PathError, UserError
from automl_spaces.json_form import fingerprint
from automl_spaces.lookups import lookup
from automl_spaces.paths import format_path
from automl_spaces.symbols import Symbol
from automl_spaces.traversal import MISSING, diff, find, query, same, walk

from .programs import SGD, Adam, Conv, Pool, anything, static
from .strategies import LAW, templates, trees
from .strategies import programs as static_programs

# Walking and finding ----------------------------------------------------------------------------


@LAW
@given(templates)
def test_every_path_of_a_walk_leads_to_its_value(template: Any) -> None:
    """Parents first, and each with the nearest node above it."""
    seen: set[Any] = set()
    for path, value, parent in walk(template):
        assert lookup(template, path) is value
        assert not path or path[:-1] in seen
        nodes = [lookup(template, path[:i]) for i in range(len(path))]
        above = [node for node in nodes if isinstance(node, Symbol)]
        assert parent is (above[-1] if above else None)
        seen.add(path)


@LAW
@given(static_programs)
def test_every_path_is_its_own_pattern(program: Any) -> None:
    """Written out, it finds exactly its value."""
    for path, value, _ in walk(program):
        assert [(p, v is value) for p, v in find(program, format_path(path))] == [(path, True)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("model.blocks[*].kernel_size", [3, 5, 2, 3]),  # the pool's is its default
        ("model.blocks[-1].kernel_size", [3]),
        ("model.blocks[*].filters", [8, 16, 16]),
        ("**.filters", [8, 16, 16]),
        ("**.stride", [1, 1, 2]),
        ("**.blocks[-1].stride", [2]),
        ("*.lr", [0.1]),
        ("**.lr", [0.1, 0.1]),
        ("**.**.lr", [0.1, 0.1]),
        ("**[1].kernel_size", [5]),
        ("model.blocks[1:].kernel_size", [5, 2, 3]),
        ("model.blocks[1:3].kernel_size", [5, 2]),
        ("model[*]", []),
        ("nowhere.*", []),
    ],
)
def test_patterns(pattern: str, found: list[Any]) -> None:
    """In the order of the tree; literal defaults are found too."""
    assert list(static().query(pattern).values()) == found


def test_a_pattern_of_many_stars_is_quick() -> None:
    """Every place once, though there are a great many ways to it."""
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert len(query(anything(deep=deep), "**." * 20 + "**")) == 42


def test_negative_positions_are_found_where_they_are() -> None:
    """`[-1]` is answered with the position from the front."""
    assert list(static().query("model.blocks[-1]")) == ["model.blocks[3]"]


def test_find_by_class_and_by_predicate() -> None:
    """Every node of a class; every value that a function accepts."""
    assert list(static().query(Conv)) == [f"model.blocks[{i}]" for i in (0, 1, 3)]
    assert list(static().query(lambda v: v == 0.1)) == ["optimizer.lr", "lr"]


# Editing ----------------------------------------------------------------------------------------


def test_rebind_by_name_path_mapping_and_pattern() -> None:
    """In place, and the tree itself comes back."""
    program = static()
    assert program.rebind(lr=0.5, epochs=2) is program
    program.rebind({"model.blocks[0].filters": 1, "model.blocks[-1].filters": 9})
    program.rebind({"model.blocks[*].kernel_size": 7})
    assert (program.lr, program.epochs) == (0.5, 2)
    assert [b.kernel_size for b in program.model.blocks] == [7] * 4
    assert [program.model.blocks[i].filters for i in (0, 3)] == [1, 9]


def test_a_node_bound_to_many_places_is_copied_to_each() -> None:
    """One edit later shows in one place."""
    program = static().rebind({"model.blocks[*]": Pool(5)})
    program.rebind({"model.blocks[0].kernel_size": 2})
    assert [b.kernel_size for b in program.model.blocks] == [2, 5, 5, 5]


def test_a_pattern_edits_inner_places_before_outer_ones() -> None:
    """A place that stands in another one is not lost on the way."""
    nested = anything(a=anything(a=anything(a=1)))
    assert nested.rebind({"**.a": 5}) == anything(a=5)


def test_rebind_by_function() -> None:
    """Asked about every node and leaf with the nearest node above, children first."""
    asked: list[tuple[str, str]] = []

    def shrink(path: str, value: Any, parent: Symbol) -> Any:
        asked.append((path, parent.type.name))
        if isinstance(value, Conv):
            return Pool(value.kernel_size)
        return value - 1 if path.endswith("kernel_size") else None

    program = static().rebind(shrink)
    assert [b.type.name for b in program.model.blocks] == ["ToyPool"] * 4
    assert program.model.blocks[0].kernel_size == 2  # first the number, then the node
    assert ("model.blocks[0]", "ToyNet") in asked
    assert ("model.blocks", "ToyNet") in asked
    assert asked.index(("model.blocks[0].kernel_size", "ToyConv")) < asked.index(
        ("model.blocks[0]", "ToyNet")
    )


@LAW
@given(templates)
def test_a_function_that_changes_nothing(template: Any) -> None:
    """Returning None or the value itself leaves the tree as it is."""
    before = template.clone()
    assert template.rebind(lambda path, value, parent: None) == before
    assert template.rebind(lambda path, value, parent: value) == before


def test_rebind_reaches_into_tuples_and_mappings() -> None:
    """A tuple is made anew; the edits of several of its elements all count."""
    node = anything(t=(1, [2], (3, anything(x=4))), m={"a.b": 1})
    node.rebind({"t[0]": 10, "t[2][1].x": 40, "m['a.b']": 2, "m.new": 3})
    assert node.t == (10, [2], (3, anything(x=40)))
    assert node.m == {"a.b": 2, "new": 3}
    node.rebind(lambda path, value, parent: value + 1 if isinstance(value, int) else None)
    assert node.t == (11, [3], (4, anything(x=41)))


def test_a_default_list_is_not_changed_for_everybody() -> None:
    """An edit inside of an argument that is not given gives it first."""

    node = Adam(0.1).rebind({"betas[0]": 0.5})
    assert node.betas == (0.5, 0.999)
    assert Adam(0.1).betas == (0.9, 0.999)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"modle.width": 1.0}, r"modle.width: the root has no modle \(did you mean model"),
        ({"lr.x": 1}, "lr is a float without parts"),
        ({"model.blocks[9]": 1}, r"model.blocks has 4 elements, no \[9\]"),
        ({"model.blocks.x": 1}, r"model.blocks has 4 elements, no x"),
        ({"model[0]": 1}, "model is a ToyNet, not a list"),
        ({"model.blocks[*].kernel": 1}, r"matches nothing in toy_train \(did you mean model.bl"),
        ({"model.blocks[7:].kernel_size": 1}, "matches nothing"),
        ({"model.blocks[0].kernel_size": "x"}, "expected int, got str 'x'"),
        ({"model.depth": 1}, "ToyNet has no argument depth"),
        ({"": 1}, "the root itself cannot be rebound"),
        ({"a..b": 1}, "is not a path"),
    ],
)
def test_edits_that_cannot_be_meant(edit: Any, message: str) -> None:
    """Told, with the nearest place; and the tree is as it was."""
    program = static()
    with pytest.raises(UserError, match=message):
        program.rebind(edit)
    assert program == static()


def test_an_element_that_the_argument_does_not_take_is_taken_back() -> None:
    """The list is checked as a whole."""
    labelled = oneof({"a": 1, "b": 2})
    with pytest.raises(UserError, match="labels: expected list"):
        labelled.rebind({"labels[1]": 7})
    assert labelled.labels == ["a", "b"]


def test_an_argument_whose_name_is_no_path() -> None:
    """A key that is there is taken literally."""
    node = anything(**{"a.b": 1, "c*": 2})
    assert node.rebind({"a.b": 5, "c*": 6}).args == {"a.b": 5, "c*": 6}


# Comparing --------------------------------------------------------------------------------------


@LAW
@given(trees, trees)
def test_equality_and_fingerprint_agree(a: Any, b: Any) -> None:
    """Equal content, equal digits; and the other way round."""
    assert same(a, b) == (fingerprint(a) == fingerprint(b))
    assert same(a, a)
    assert not diff(a, a)


@LAW
@given(templates, st.data())
def test_one_edit_is_one_difference(template: Any, data: st.DataObject) -> None:
    """It is found by equality, by fingerprint, and by diff at its place."""
    paths = [path for path, _, _ in walk(template) if path]
    path = data.draw(st.sampled_from(paths))
    edited = anything(top=template.clone())
    original = edited.clone()
    new = Pool(77)  # of no class that stands in a random tree
    try:
        edited.rebind({format_path(("top", *path)): new})
    except UserError:
        return  # the argument does not take a node
    assert edited != original
    assert fingerprint(edited) != fingerprint(original)
    (change,) = diff(original, edited)
    assert change.path == format_path(("top", *path))
    assert change.new == new


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (Conv(3), Conv(), True),
        (Conv(3, 32, 1), Conv(stride=1), True),
        (Conv(3), Conv(5), False),
        (Adam(0.1), Adam(0.1, betas=[0.9, 0.999]), True),
        (anything(a=1, b=2), anything(b=2, a=1), True),
        (anything(a=1), anything(a=1.0), True),
        (anything(a=1), anything(a=True), False),
        (anything(a="1"), anything(a=1), False),
        (anything(a=(1, 2)), anything(a=[1, 2]), True),
        (anything(a=float("nan")), anything(a=float("nan")), True),
        (anything(a={1: 2, None: 3}), anything(a={None: 3, 1: 2}), True),
        (anything(a={"$": 1}), anything(a={"$": 2}), False),
        (anything(a=None), anything(), False),
        (Conv(2), Pool(2), False),
    ],
)
def test_equality(a: Any, b: Any, equal: bool) -> None:
    """Of content: defaults count as given, order and list kind do not matter, types do."""
    assert (a == b) == equal
    assert (a.fingerprint() == b.fingerprint()) == equal
    assert (diff(a, b) == []) == equal


def test_a_node_equals_no_other_kind_of_thing() -> None:
    """And it cannot be hashed, because it can change."""
    assert Conv() != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(Conv())


def test_diff_shows_every_change() -> None:
    """In the order of the tree, with what was absent."""
    new = static().rebind({"model.blocks[0].filters": 9, "lr": 0.5})
    new.rebind({"model.blocks": [*new.model.blocks, Conv()], "optimizer": Adam(0.1)})
    changes = static().diff(new)
    assert [c.path for c in changes] == [
        "model.blocks[0].filters",
        "model.blocks[4]",
        "optimizer",
        "lr",
    ]
    assert changes[1].old is MISSING
    assert str(changes[0]) == "model.blocks[0].filters: 8 -> 9"
    assert str(changes[1]) == "model.blocks[4]: (absent) -> ToyConv()"
    mappings = diff({"a": 1}, {"b": 2})
    assert [(c.path, c.old, c.new) for c in mappings] == [("a", 1, MISSING), ("b", MISSING, 2)]


def test_diff_of_a_default() -> None:
    """Giving the default is no change; giving another value is one from the default."""
    assert Conv().diff(Conv(stride=1)) == []
    (change,) = Conv().diff(Conv(stride=2))
    assert (change.path, change.old, change.new) == ("stride", 1, 2)
    assert [c.path for c in SGD(0.1).diff(Adam(0.1))] == [""]


def test_path_errors_are_lookup_errors() -> None:
    """So that `except LookupError` catches them."""
    with pytest.raises(LookupError):
        static().rebind({"x.y": 1})
    assert issubclass(PathError, UserError)
