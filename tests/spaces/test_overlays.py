"""Overlays: rules that turn a program into a space, and what they remember."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from automl_spaces import overlays
from automl_spaces.choices import floatv, oneof
from automl_spaces.errors import Problems, UserError
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol
from automl_spaces.yaml_reader import compose

from .programs import SGD, Adam, Conv, Net, Pool, anything, static, train
from .strategies import LAW
from .strategies import programs as static_programs


def overlay(program: Symbol, text: str, imports: tuple[str, ...] = ()) -> Any:
    """The program under an overlay; raises every mistake."""
    problems = Problems()
    node = compose(text, "o.yaml")
    assert node is not None
    rules = overlays.read_rules(node, imports, problems)
    result = overlays.apply(program, rules, problems)
    problems.raise_if_any()
    return result


def faults(text: str, program: Any = None) -> list[str]:
    """Every mistake of an overlay, as it is shown."""
    with pytest.raises(UserError) as caught:
        overlay(program or static(), text)
    return [str(problem) for problem in caught.value.problems]


# What rules do ----------------------------------------------------------------------------------


def test_replace_by_pattern() -> None:
    """At every place that fits, defaults included; the given program stays as it is."""
    program = static()
    result = overlay(program, "- at: model.blocks[*].kernel_size\n  replace: !oneof [2, 3, 5]\n")
    choices = [block.kernel_size for block in result.model.blocks]
    assert [c.default for c in choices] == [3, 5, 2, 3]
    assert [c.candidates for c in choices] == [[2, 3, 5]] * 4
    assert program == static()


def test_replace_by_class() -> None:
    """Every node of the class, with `$self` for what stands there and a part of it."""
    text = "- at: !ToyConv\n  replace: !oneof [$self, !ToyPool {kernel_size: $self.kernel_size}]\n"
    result = overlay(static(), text)
    first = result.model.blocks[0]
    assert first.candidates == [Conv(3, 8), Pool(3)]
    assert first.default == Conv(3, 8)
    assert result.model.blocks[2] == Pool()
    assert Space(result).size == 8
    first.candidates[0].rebind(filters=1)
    assert first.default.filters == 8


def test_set_gives_arguments_to_a_node() -> None:
    """Several at once, given before or not."""
    result = overlay(static(), "- at: !ToyConv\n  set: {filters: !oneof [8, 16], stride: 3}\n")
    assert [b.stride for b in result.model.blocks if isinstance(b, Conv)] == [3, 3, 3]
    assert result.model.blocks[1].filters.default == 16


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("append: !ToyPool {}", "CCPCP"),
        ("prepend: !ToyPool {}", "PCCPC"),
        ("append: $self[0]", "CCPCC"),
        ("prepend: $self[-2]", "PCCPC"),
    ],
)
def test_append_and_prepend(rule: str, names: str) -> None:
    """`$self` is the list there."""
    result = overlay(static(), f"- at: model.blocks\n  {rule}\n")
    assert "".join(b.type.name[3] for b in result.model.blocks) == names
    result.rebind({"model.blocks[0].kernel_size": 9})
    assert [b.kernel_size for b in result.model.blocks].count(9) == 1


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("model.blocks[0]", [5, 2, 3]),
        ("model.blocks[-1]", [3, 5, 2]),
        ("model.blocks[1:]", [3]),
        ("model.blocks[1:3]", [3, 3]),
        ("!ToyConv", [2]),
        ("!ToyPool", [3, 5, 3]),
        ("model.blocks[*]", []),
    ],
)
def test_delete_from_a_list(at: str, left: list[int]) -> None:
    """All that fit: the later ones go first, so that none is missed."""
    result = overlay(static(), f"- at: {at}\n  delete: true\n")
    assert [b.kernel_size for b in result.model.blocks] == left


def test_delete_an_argument() -> None:
    """It falls back to its default; one that is not given is fine; a required one is not."""
    result = overlay(static(), "- at: model.blocks[*].stride\n  delete: true\n")
    assert "stride" not in result.model.blocks[3].args
    assert result.model.blocks[3].stride == 1
    options = overlay(anything(o={"a": 1, "b": 2}), "- at: o.a\n  delete: true\n")
    assert options == anything(o={"b": 2})
    (problem,) = faults("- at: optimizer.lr\n  delete: true\n")
    assert problem == "o.yaml:1:7: ToySGD lacks the argument lr"


def test_rules_apply_in_their_order() -> None:
    """A later rule sees what an earlier one did, inside of candidates too."""
    text = (
        "- at: !ToyPool\n  replace: !ToyConv {filters: 7}\n"
        "- at: model.blocks[2]\n  replace: !oneof [$self, !ToyPool {}]\n"
        "- at: '**.filters'\n  replace: !oneof [7, 9]\n"
    )
    result = overlay(static(), text)
    inner = result.model.blocks[2].candidates[0].filters
    assert inner.candidates == [7, 9]
    default = Space(result).default()
    assert default is None  # 8 and 16, the filters of the others, are no candidates


def test_a_new_argument_may_be_placed_by_its_path() -> None:
    """A parameter that is not given has a place too; nothing stands there yet."""
    result = overlay(train(None), "- at: optimizer\n  replace: !oneof [null, !ToySGD {lr: 1}]\n")
    assert result.optimizer.default is None
    other = overlay(anything(), "- at: fresh\n  replace: !oneof [1, 2]\n")
    assert not other.fresh.has_default
    assert faults("- at: fresh\n  replace: [$self]\n", anything(a=1)) == [
        "o.yaml:2:13: $self: nothing stands here yet"
    ]


def test_the_root_can_be_replaced() -> None:
    """By its class or by the empty path."""
    for at in ("!toy_train", "''"):
        result = overlay(static(), f"- at: {at}\n  replace: !toy_any {{inner: $self}}\n")
        assert result == anything(inner=static())
    result = overlay(static(), "- at: !toy_train\n  replace: !oneof [$self, !toy_any {}]\n")
    assert Space(result).default() is not None


def test_values_of_one_rule_are_separate() -> None:
    """Each place gets a value of its own."""
    result = overlay(static(), "- at: model.blocks[*]\n  replace: !ToyPool {kernel_size: 4}\n")
    result.rebind({"model.blocks[0].kernel_size": 5})
    assert [b.kernel_size for b in result.model.blocks] == [5, 4, 4, 4]


def test_documents_with_rules_and_imports() -> None:
    """A mapping with `rules`, its own `imports` and a `doc`; or one rule alone."""
    text = (
        "doc: a fraction\nimports: [fractions]\n"
        "rules:\n- at: lr\n  doc: why\n  replace: !fractions.Fraction [1, 4]\n"
    )
    assert overlay(train(Net([]), lr=0.5).clone(), text.replace("lr", "optimizer")).optimizer
    single = overlay(static(), "at: lr\nreplace: 0.5\n")
    assert single.lr == 0.5


@LAW
@given(static_programs)
def test_replacing_by_itself_changes_nothing(program: Any) -> None:
    """`$self` stands for exactly what is there, whatever it is."""
    wrapped = anything(place=program, other=[program])
    text = "- at: place\n  replace: $self\n- at: other[0]\n  replace: $self\n"
    assert overlay(wrapped, text) == wrapped


# Remembering ------------------------------------------------------------------------------------


def test_the_static_program_is_a_record_of_its_space() -> None:
    """Whatever rules made choices of it."""
    program = static()
    text = (
        "- at: model.blocks[*].kernel_size\n  replace: !oneof [2, 3, 5]\n"
        "- at: optimizer\n"
        "  replace: !oneof\n"
        "    - !ToySGD {lr: !floatv [0.01, 1.0, log], momentum: 0.9}\n"
        "    - !ToyAdam {lr: !floatv [1.0e-5, 0.1, log]}\n"
        "- at: !ToyNet\n  set: {width: !oneof [0.5, 1.0], act: !oneof [relu, swish]}\n"
        "- at: lr\n  replace: !floatv [0.0, 1.0]\n"
    )
    space = Space(overlay(program, text))
    default = space.default()
    assert default is not None
    assert space.materialise(default) == program
    assert default["model.act"] == "relu"  # a default that the program does not give


def test_a_choice_of_a_choice_remembers_the_static_value() -> None:
    """Overlays stack: the last one knows what the first one replaced."""
    first = "- at: optimizer\n  replace: !oneof [$self, !ToyAdam {lr: 0.1}]\n"
    second = "- at: optimizer\n  replace: !oneof [$self, null]\n"
    space = Space(overlay(overlay(static(), first), second))
    default = space.default()
    assert default is not None
    assert space.materialise(default) == static()


def test_choices_inside_of_a_replaced_node_remember_too() -> None:
    """Argument by argument, element by element, key by key."""
    program = anything(n=Net([Conv(3)], act="relu"), m={"a": 1, "b": 2})
    text = (
        "- at: n\n  replace: !ToyNet {blocks: [!ToyConv {kernel_size: !oneof [3, 5]}]}\n"
        "- at: m\n  replace: {a: !oneof [1, 3], b: 2}\n"
    )
    result = overlay(program, text)
    assert result.n.blocks[0].kernel_size.default == 3
    assert result.m["a"].default == 1
    assert Space(result).default() is not None


def test_remember_leaves_a_given_default() -> None:
    """What the author wrote is not written over, and nothing is remembered of nothing."""
    given_one = oneof([1, 2], default=2)
    assert overlays.remember(given_one, 1).default == 2
    assert overlays.remember(5, 1) == 5
    number = floatv(0.0, 1.0)
    assert overlays.remember(number, 0.5).default == 0.5


def test_a_remembered_node_has_its_place() -> None:
    """Put elsewhere it is copied, as every part of a tree."""
    result = overlay(static(), "- at: optimizer\n  replace: !oneof [null, !ToyAdam {lr: 1}]\n")
    default = result.optimizer.default
    assert default == SGD(0.1, 0.9)
    assert anything(a=default).a is not default


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "- at: model.blocks[*].kernel\n  replace: 1\n",
            "o.yaml:1:7: model.blocks[*].kernel matches nothing in the program "
            "(did you mean model.blocks[*].",
        ),
        (
            "- at: !ToyAdam\n  set: {lr: 1}\n",
            "o.yaml:1:7: no ToyAdam in the program (",
        ),
        ("- at: !ToyConvv\n  set: {}\n", "o.yaml:1:7: unknown symbol ToyConvv (did you mean ToyC"),
        ("- at: model.blocks[9]\n  delete: true\n", "o.yaml:1:7: model.blocks[9] matches nothing"),
        ("- at: 'a..b'\n  replace: 1\n", "o.yaml:1:7: 'a..b' is not a path"),
        ("- at: !ToyConv {kernel_size: 3}\n  set: {}\n", "o.yaml:1:7: `at: !ToyConv` means every"),
        ("- at: [a]\n  replace: 1\n", "o.yaml:1:7: `at` is a path such as"),
        (
            "- at: !ToyConv\n  set: {kernel_siz: 1}\n",
            "o.yaml:2:9: ToyConv has no argument kernel_siz (did you mean kernel_size?)",
        ),
        (
            "- at: !ToyConv\n  set: {kernel_size: x}\n",
            "o.yaml:2:9: ToyConv.kernel_size: expected int, got str 'x'",
        ),
        ("- at: lr\n  set: {a: 1}\n", "o.yaml:2:8: `set` gives arguments to a node: lr is 0.1"),
        ("- at: !ToyConv\n  set: 5\n", "o.yaml:2:8: `set` gives arguments to a node"),
        ("- at: lr\n  append: 1\n", "o.yaml:1:7: lr is 0.1, not a list"),
        ("- at: lr\n  delete: 1\n", "o.yaml:2:11: write `delete: true`"),
        ("- at: ''\n  delete: true\n", "o.yaml:1:7: cannot delete the whole program"),
        (
            "- at: model.blocks[*].kernel_size\n  replace: !oneof [3, big]\n",
            "o.yaml:2:12: model.blocks[3].kernel_size: ToyConv.kernel_size: expected int, got "
            "the candidate str 'big'",
        ),
        ("- at: lr\n  replace: $self.x\n", "o.yaml:2:12: $self.x: the root has no x"),
        ("- at: lr\n  replace: !NoSuch {}\n", "o.yaml:2:12: unknown symbol NoSuch"),
        ("- att: lr\n  replace: 1\n", "o.yaml:1:3: a rule has no key att (did you mean at?)"),
        ("- at: lr\n", "o.yaml:1:3: a rule needs `at` and one of replace, set"),
        ("- at: lr\n  replace: 1\n  set: {}\n", "o.yaml:1:3: a rule needs `at` and one of"),
        ("- lr\n", "o.yaml:1:3: a rule is a mapping"),
        ("lr\n", "o.yaml:1:1: an overlay is a list of rules"),
        ("doc: nothing\n", "o.yaml:1:1: an overlay without rules"),
        ("rules: []\nimport: [os]\n", "o.yaml:2:1: an overlay has no key import (did you mean im"),
        ("rules: []\nimports: os\n", "o.yaml:2:10: imports is a list of modules"),
    ],
)
def test_mistakes_and_their_places(text: str, shown: str) -> None:
    """File, line and column of the first, and the nearest name."""
    assert faults(text)[0].startswith(shown)


def test_every_mistake_at_once_and_each_once() -> None:
    """A rule that fails at many places is one mistake, and the next rule is still read."""
    text = (
        "- at: !ToyConv\n  set: {kernel_size: x, filters: [1]}\n"
        "- at: nowhere\n  replace: 1\n"
        "- at: '**.kernel_size'\n  replace: !ToySGD {}\n"
        "- at: lr\n  replace: !floatv [1.0, 0.0]\n"
    )
    assert [problem[:11] for problem in faults(text)] == [
        "o.yaml:2:9:",
        "o.yaml:2:25",
        "o.yaml:3:7:",
        "o.yaml:6:12",
        "o.yaml:8:12",
    ]


def test_adam_is_not_in_the_static_program() -> None:
    """The classes that are there are named."""
    (problem,) = faults("- at: !ToyAdam\n  set: {lr: 1}\n")
    assert "ToySGD" in problem
    assert Adam(1) != SGD(1)
