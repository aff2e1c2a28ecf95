"""Trees as JSON: names and data only, readable in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from automl_spaces.errors import UserError
from automl_spaces.json_form import canonical, fingerprint, from_data, from_json, to_data, to_json
from automl_spaces.registry import symbolize
from automl_spaces.symbols import Symbol
from automl_spaces.traversal import same

from .programs import Conv, anything, static
from .strategies import LAW, templates, trees


@LAW
@given(trees)
def test_static_trees_round_trip(tree: Any) -> None:
    """Through text that any JSON reader takes."""
    text = to_json(tree)
    json.loads(text, parse_constant=pytest.fail)
    assert same(from_json(text), tree)


@LAW
@given(templates)
def test_spaces_round_trip(template: Any) -> None:
    """Choices are nodes like others; what is read can be edited and put elsewhere."""
    read = Symbol.from_json(template.to_json())
    assert read == template
    assert read.to_json() == template.to_json()
    assert anything(there=read).there is read
    assert all(
        anything(there=child).there is not child
        for child in read.args.values()
        if isinstance(child, Symbol)
    )


def test_the_form() -> None:
    """Compact, by short names, exactly what was given."""
    assert to_json(Conv(5)) == '{"$":"ToyConv","kernel_size":5}'
    assert to_json({"$": 1, 2: "b"}) == '{"$":"dict","items":[["$",1],[2,"b"]]}'
    assert to_json([float("inf"), 1.0, (True, None)]) == (
        '[{"$":"float","value":"inf"},1.0,[true,null]]'
    )
    assert same(from_json(to_json(float("nan"))), float("nan"))


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), b"bytes", 1j, lambda: 0, {(1, 2): 3}, Conv, open, [[object()]]]
)
def test_what_is_no_data_is_refused(value: Any) -> None:
    """No pickles, no bytecode: an error that says what to do."""
    with pytest.raises(UserError, match="cannot be written down"):
        to_json(anything(value=value))


def test_a_lambda_has_no_name() -> None:
    """Symbolised or not, it is not written down."""
    node = symbolize(lambda x=1: x)(5)
    with pytest.raises(UserError, match="<lambda> cannot be written down: it is defined inside"):
        to_json(node)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"$":"NoSuchThing"}', "unknown symbol NoSuchThing"),
        ('{"$":"ToyConvv"}', r"unknown symbol ToyConvv \(did you mean ToyConv\?\)"),
        ('{"$":"os:system","command":"x"}', "the module os is not listed under imports"),
        ('{"$":"ToyConv","kernel_size":"3"}', "ToyConv.kernel_size: expected int"),
        ('{"$":"ToySGD"}', "ToySGD lacks the argument lr"),
        ('{"$":"oneof","candidates":[]}', "oneof has no candidates"),
        ('{"$":"float","value":"x"}', "not the JSON of a float"),
        ('{"$":"float"}', "not the JSON of a float"),
        ('{"$":"dict","items":5}', "not the JSON of a dict"),
        ('{"$":"dict","items":[[[1],2]]}', "not the JSON of a dict"),
        ('{"$":["a"]}', "unknown symbol"),
        ('{"$":7}', "unknown symbol 7"),
    ],
)
def test_hostile_and_mistaken_texts(text: str, message: str) -> None:
    """Always the user's error, never a traceback, and nothing is imported."""
    with pytest.raises(UserError, match=message):
        from_json(text)


def test_deep_nesting_is_read_or_told() -> None:
    """Below what Python's stack takes; never a traceback."""
    for depth in range(100, 1000, 100):
        try:
            assert from_json("[" * depth + "]" * depth)[:1] is not None
        except UserError as error:
            assert "nested too deeply" in str(error) or "not JSON" in str(error)


def test_several_mistakes_at_once() -> None:
    """Two nodes with a wrong argument each."""
    with pytest.raises(UserError) as caught:
        from_data([{"$": "ToyConv", "a": 1}, {"$": "ToyPool", "b": 1}])
    assert len(caught.value.problems) == 2


def test_canonical_text() -> None:
    """Defaults left out, whole floats as ints, keys in order."""
    a = Conv(3, filters=8, stride=1)
    assert canonical(a) == canonical(Conv(filters=8))
    assert canonical({"b": 1.0, "a": 2}) == '{"a":2,"b":1}'
    assert len(fingerprint(a)) == 16
    assert to_data(a) == {"$": "ToyConv", "kernel_size": 3, "filters": 8, "stride": 1}


def test_two_names_for_one_callable_are_one_type() -> None:
    """However it was found, a callable is itself."""
    import fractions

    alias = symbolize(fractions.Fraction, name="ToyRatio")
    plain = symbolize(fractions.Fraction)
    assert alias(1, 2) == plain(1, 2)
    assert alias(1, 2).fingerprint() == plain(1, 2).fingerprint()
    assert from_json(to_json(alias(1, 2))) == plain(1, 2)


def fresh(code: str) -> str:
    """What Python code prints in a new process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_elsewhere(node: Symbol, module: str, show: str) -> str:
    """What `show` says of the node, called `built`, built in a fresh process from its JSON."""
    return fresh(
        "from automl_spaces.json_form import from_json\n"
        f"node = from_json({node.to_json()!r}, imports=[{module!r}])\n"
        f"built = node.build()\nprint({show})"
    )


@pytest.mark.parametrize(
    ("target", "args", "shown"),
    [("Fraction", (6, 8), "3/4"), ("Decimal", ("1.50",), "1.50")],
)
def test_wrapped_classes_of_others_load_in_a_fresh_process(
    target: str, args: tuple[Any, ...], shown: str
) -> None:
    """Names and data are all it takes."""
    import decimal
    import fractions

    module = fractions if target == "Fraction" else decimal
    wrapped: Callable[..., Symbol] = symbolize(getattr(module, target))
    assert loaded_elsewhere(wrapped(*args), module.__name__, "built") == shown


def test_a_counter_loads_in_a_fresh_process() -> None:
    """Its argument is positional-only, which a mapping of names cannot say."""
    import collections

    node = symbolize(collections.Counter)([1, 2, 2])
    assert loaded_elsewhere(node, "collections", "built[2]") == "2"


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """No addresses, no hash seeds."""
    code = "from tests.spaces.programs import static\nprint(static().fingerprint())"
    assert fresh(code) == static().fingerprint()


@pytest.mark.slow
def test_a_torch_layer_loads_in_a_fresh_process() -> None:
    """`symbolize(torch.nn.Conv2d)` here, its JSON there, where only torch.nn is listed."""
    code = (
        "import sys, torch\n"
        "from automl_spaces.registry import symbolize\n"
        "print(symbolize(torch.nn.Conv2d)(3, 8, kernel_size=3, bias=False).to_json())"
    )
    text = fresh(code)
    code = (
        "from automl_spaces.json_form import from_json\n"
        f"layer = from_json({text!r}, imports=['torch.nn'])\n"
        "print(layer.build())"
    )
    assert fresh(code) == "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), bias=False)"


@pytest.mark.slow
def test_a_torch_layer_allocates_nothing_when_it_is_defined() -> None:
    """16 MiB of weights are made when it is built, and not before."""
    code = (
        "import torch\n"
        "from automl_spaces.registry import symbolize\n"
        "def pages(): return int(open('/proc/self/statm').read().split()[1])\n"  # of 4 KiB
        "Linear = symbolize(torch.nn.Linear)\n"
        "before = pages()\n"
        "layers = [Linear(2048, 2048) for _ in range(64)]\n"
        "layers = [layer.clone() for layer in layers]\n"
        "defined = pages() - before\n"
        "kept = layers[0].build()\n"
        "print(defined < 2_000 < pages() - before)"
    )
    assert fresh(code) == "True"
