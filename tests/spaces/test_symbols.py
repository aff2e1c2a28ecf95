"""Nodes: made of checked arguments, built late, cloned without aliases."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given

from automl_spaces.choices import floatv, oneof
from automl_spaces.errors import PathError, UserError
from automl_spaces.lookups import lookup
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol, adopt, clone
from automl_spaces.traversal import walk

from . import programs
from .programs import (
    SGD,
    Adam,
    Conv,
    Linear,
    Net,
    Pool,
    ToyConv,
    anything,
    positions,
    static,
    train,
)
from .strategies import LAW, templates


def shared_parts(a: Any, b: Any) -> list[Any]:
    """The nodes, lists and mappings that two trees have in common."""
    kinds = (Symbol, list, dict)
    ours = {id(v) for _, v, _ in walk(a) if isinstance(v, kinds)}
    return [v for _, v, _ in walk(b) if isinstance(v, kinds) and id(v) in ours]


# Making -----------------------------------------------------------------------------------------


def test_arguments_are_read_as_attributes() -> None:
    """Given ones, literal defaults, and by name in brackets."""
    node = Conv(5, stride=2)
    assert (node.kernel_size, node.stride, node.filters) == (5, 2, 32)
    assert node["kernel_size"] == 5
    assert node.args == {"kernel_size": 5, "stride": 2}
    assert repr(node) == "ToyConv(kernel_size=5, stride=2)"
    assert "kernel_size" in dir(node)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(kernel_siz=3), r"ToyConv has no argument kernel_siz \(did you mean kernel_s"),
        (lambda: Conv("3"), "ToyConv.kernel_size: expected int, got str '3'"),
        (lambda: Conv(True), "expected int, got bool True"),
        (lambda: Conv(1, 2, 3, 4), "takes at most 3 positional arguments, 4 were given"),
        (lambda: Conv(1, kernel_size=2), "ToyConv.kernel_size is given twice"),
        (SGD, "ToySGD lacks the argument lr"),
        (lambda: Conv(Pool()), "expected int, got the node ToyPool"),
        (lambda: Conv(floatv(0.0, 1.0)), "expected int, got a number from floatv"),
        (lambda: Conv(oneof([1, "a"])), "expected int, got the candidate str 'a'"),
        (lambda: Net(5), r"ToyNet.blocks: expected list\[anything\], got int 5"),
        (lambda: anything(**{"$": 1}), "no argument can be named"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    """What was expected, what was found, and the nearest name."""
    with pytest.raises(UserError, match=message):
        make()


def test_all_mistakes_of_a_call_at_once() -> None:
    """Three wrong arguments, three problems."""
    with pytest.raises(UserError) as caught:
        Conv("a", filters=None, padding=1)
    assert len(caught.value.problems) == 3


def test_a_choice_inside_a_list_is_not_mistaken() -> None:
    """What a nested choice becomes is not known yet, so it fits list[int]."""

    def grid(sizes: list[list[int]]) -> None:
        """Takes nested lists of integers."""

    node = symbolize(grid)([[oneof([1, 2]), 3]])
    assert node.sizes[0][1] == 3
    with pytest.raises(UserError, match=r"expected list\[list\[int\]\]"):
        symbolize(grid)([["a"]])


# Building ---------------------------------------------------------------------------------------


def test_building_is_lazy_and_children_come_first() -> None:
    """Nothing is built when a program is written, and the leaves are built before the root."""
    programs.BUILT.clear()
    program = Net([Conv(), Pool()])
    assert programs.BUILT == []
    program.build()
    assert programs.BUILT == ["ToyConv", "ToyPool", "ToyNet"]


def test_a_defined_layer_allocates_nothing() -> None:
    """Four million weights exist only once the node is built, in the worker."""
    node = Linear(2048, 2048)
    copied = node.clone().rebind(rows=4)
    assert programs.Hungry.allocated == 0
    copied.build()
    assert programs.Hungry.allocated == 4 * 2048
    programs.Hungry.allocated = 0


def test_build_takes_extra_arguments() -> None:
    """They override what the node has, for this building only."""
    node = train(None, lr=0.5, epochs=2)
    assert node.build(epochs=4) == 2.0
    assert node.build() == 1.0


def test_every_kind_of_parameter_is_passed_as_the_callable_wants_it() -> None:
    """Positional-only by position, *rest after them, keyword-only by name."""
    assert positions(1).build() == (1, 2, (), 0)
    assert positions(1, 5, 6, 7, last=9).build() == (1, 5, (6, 7), 9)
    assert positions(first=1, rest=[6, 7]).build() == (1, 2, (6, 7), 0)
    assert positions(1, last=3).build() == (1, 2, (), 3)


def test_a_builtin_without_signature_takes_anything_by_position() -> None:
    """C code rarely tells its parameters."""
    assert symbolize(max)(3, 7, 5).build() == 7


def test_an_open_choice_is_not_built() -> None:
    """The message says what is open."""
    with pytest.raises(UserError, match=r"oneof\(candidates=\[1, 2\]\) is still open"):
        anything(a=[oneof([1, 2])]).build()


def test_an_instance_is_kept_until_something_below_is_edited() -> None:
    """By an edit of a leaf, of a list, of a mapping, of the root; not by one elsewhere."""
    node = anything(net=Net([Conv(), [Conv()]]), options={"a": {"b": 1}})
    edits: list[Any] = [
        {"net.blocks[0].filters": 7},
        {"net.blocks[1][0].filters": 9},
        {"net.blocks[0]": Pool()},
        {"options.a.b": 2},
        {"net": Conv()},
        lambda path, value, parent: 3 if path == "options.a.b" else None,
    ]
    for edit in edits:
        before = node.instance()
        assert node.instance() is before
        node.clone().rebind(edit)
        assert node.instance() is before
        node.rebind(edit)
        assert node.instance() is not before
        assert node.instance() == node.build()


def test_attributes_of_the_built_object() -> None:
    """`program.method()` just works, and follows edits."""
    node = Net([Conv()])
    assert node.depth() == 1
    node.rebind(blocks=[Conv(), Conv()])
    assert node.depth() == 2
    with pytest.raises(AttributeError, match="nonsense"):
        node.nonsense()


def test_symbol_types_stand_in_for_their_class() -> None:
    """isinstance, subclassing, class attributes."""
    assert isinstance(Conv(3), Conv)
    assert isinstance(ToyConv(), Conv)
    assert not isinstance(Pool(), Conv)
    assert Linear.allocated == 0

    class Wider(Conv):  # type: ignore[misc]
        """A subclass of the class behind the symbol."""

    assert issubclass(Wider, ToyConv)
    with pytest.raises(TypeError, match="is a function"):

        class _Sub(train):  # type: ignore[misc]
            """A function has no subclasses."""


# Places -----------------------------------------------------------------------------------------


@LAW
@given(templates)
def test_a_clone_is_equal_and_never_aliases(template: Any) -> None:
    """Whatever is edited in one is not seen in the other."""
    for copied in (template.clone(), copy.deepcopy(template), copy.copy(template).clone()):
        assert copied == template
        assert shared_parts(copied, template) == []


def test_a_node_put_into_two_places_is_copied() -> None:
    """A tree is a tree: the second place gets a node of its own."""
    conv = Conv(3)
    net = Net([conv, conv, [conv]])
    assert net.blocks[0] is conv
    net.rebind({"blocks[0].kernel_size": 7})
    assert [net.blocks[1].kernel_size, net.blocks[2][0].kernel_size] == [3, 3]
    other = Net([net.blocks[0]])
    other.rebind({"blocks[0].kernel_size": 1})
    assert net.blocks[0].kernel_size == 7


def test_the_lists_of_the_caller_are_not_shared() -> None:
    """A list or mapping given as an argument is copied."""
    blocks, options = [Conv()], {"a": [1]}
    node = anything(blocks=blocks, options=options)
    blocks.append(Conv())
    options["a"].append(2)
    assert len(node.blocks) == 1
    assert node.options == {"a": [1]}


def test_a_clone_has_no_place() -> None:
    """It is put into a tree as it is; its parts are not, because they have one."""
    part = static().model.clone()
    holder = anything(model=part)
    assert holder.model is part
    assert anything(block=part.blocks[0]).block is not part.blocks[0]
    assert adopt([1, (2,)]) == [1, (2,)]


def test_wrapping_what_was_there_makes_no_cycle() -> None:
    """A program put into itself is put there as it was."""
    program = anything(inner=1)
    program.rebind(inner=anything(old=program))
    assert repr(program) == "toy_any(inner=toy_any(old=toy_any(inner=1)))"
    program.rebind({"inner.old": [program]})
    assert program.inner.old[0].inner.old.inner == 1
    listed = anything(items=[1])
    listed.rebind(lambda path, value, parent: [parent] if path == "items[0]" else None)
    assert listed.items[0][0].items == [1]


def test_clone_keeps_kinds() -> None:
    """Tuples stay tuples, and objects that are no data are copied too."""
    value = clone({"t": (1, [2]), "s": {3}})
    assert value == {"t": (1, [2]), "s": {3}}


# Pickling ---------------------------------------------------------------------------------------


def test_pickles() -> None:
    """A tree with choices survives; what was built and counted stays behind."""
    template = train(Net([Conv(oneof([3, 5]))]), SGD(floatv(0.1, 1.0)))
    template.model.blocks.append(Conv())
    static().model.instance()
    copied = pickle.loads(pickle.dumps(template))
    assert copied == template
    assert copied.model.blocks[0].kernel_size.type is template.model.blocks[0].kernel_size.type
    built = Net([Conv()])
    built.instance()
    built.rebind({"blocks[0].filters": 1})
    arrived = pickle.loads(pickle.dumps(built))
    assert arrived._built is None
    assert arrived.instance() == built.instance()
    assert anything(part=arrived.blocks[0]).part is not arrived.blocks[0]


# Looking up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("modle",), r"the root has no modle \(did you mean model\?\)"),
        (("model", "blocks", 9), r"model.blocks has 4 elements, no \[9\]"),
        (("model", "blocks", -5), r"model.blocks has 4 elements, no \[-5\]"),
        (("model", "blocks", "x"), r"model.blocks has 4 elements, no x"),
        (("lr", 0), r"lr has no 0"),
        (("model", "act", 0), r"model.act has no 0"),
        (("model", 0), r"model has no 0"),
    ],
)
def test_a_path_that_leads_nowhere(path: Any, message: str) -> None:
    """The first key that fails, and what is near; a text has no parts."""
    with pytest.raises(PathError, match=message):
        lookup(static(), path)


def test_lookup() -> None:
    """Nodes, lists from either end, defaults, mappings."""
    program = static()
    assert lookup(program, ("model", "blocks", -1, "stride")) == 2
    assert lookup(program, ("model", "act")) == "relu"
    assert lookup(Adam(0.1), ("betas", 1)) == 0.999
    assert lookup({"a": {1: "x"}}, ("a", 1)) == "x"
    assert lookup(program, ()) is program
