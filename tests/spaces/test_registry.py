"""From names to callables, and the names that lead nowhere."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_spaces import registry
from automl_spaces.errors import UserError
from automl_spaces.json_form import from_json
from automl_spaces.registry import names, register, resolve, scan, symbolize
from automl_spaces.symbols import Symbol, SymbolType
from automl_spaces.yaml_values import from_yaml

from .programs import Conv, ToyConv

MODULE = """
import os
import subprocess
from os import path, system
from subprocess import Popen
from fractions import Fraction

__all__ = ["Fraction"]

number = 5
_hidden = print


class Outer:
    run = os.system
    number = 1

    def method(self): ...

    class Inner:
        def __init__(self, a: int): ...


class _Private: ...


def function(a, b=2): return a + b


helper = lambda: 1
"""


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an importable module of the user's."""
    (tmp_path / "toy_user_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "toy_user_module"
    sys.modules.pop("toy_user_module", None)


# Registering ------------------------------------------------------------------------------------


def test_register_returns_the_class_unchanged() -> None:
    """Bare, called, with a name."""

    @register
    class ToyPlain:
        """Registered under its own name."""

    @register()
    class ToyCalled:
        """Registered under its own name too."""

    @register(name="toy_named")
    def _named() -> None:
        """Registered under another name."""

    @register("toy_short")
    def _short() -> None:
        """Registered under another name."""

    assert isinstance(ToyPlain, type)
    assert ToyPlain() is not None
    assert resolve("ToyPlain").target is ToyPlain
    assert resolve("ToyCalled").target is ToyCalled
    assert resolve("toy_named").target is _named
    assert {"toy_short", "ToyPlain"} <= set(names())


def test_one_name_for_two_things() -> None:
    """An error that says how to go on."""
    register(ToyConv)
    with pytest.raises(UserError, match=r"ToyConv names both .* \(register one under another name"):

        @register(name="ToyConv")
        class _Other:
            """Something else."""


def test_symbolize_yields_the_short_name_to_who_has_it() -> None:
    """A library's class of the same name keeps its long one, and is still found."""
    other = types.ModuleType("toy_elsewhere")
    exec("class ToyConv:\n    pass", vars(other))
    wrapped = symbolize(other.ToyConv)
    assert wrapped.name == "toy_elsewhere:ToyConv"
    assert resolve("ToyConv") is Conv
    assert resolve("toy_elsewhere:ToyConv") is wrapped
    assert from_json(wrapped().to_json()) == wrapped()


def test_symbolize_is_idempotent_and_follows_a_redefinition() -> None:
    """As in a notebook whose cell is run again."""
    assert symbolize(Conv) is Conv

    def define() -> type:
        class ToyCell:
            """Defined anew each time."""

        return ToyCell

    first, second = define(), define()
    symbolize(first)
    assert symbolize(second).target is second
    assert resolve("ToyCell").target is second


def test_symbolize_as_a_decorator() -> None:
    """Calls then make nodes."""

    @symbolize
    def toy_decorated(a: int, b: int = 2) -> int:
        """A program."""
        return a + b

    node = toy_decorated(1)
    assert isinstance(node, Symbol)
    assert node() == 3


@pytest.mark.parametrize("target", [5, "text", None, object()])
def test_what_is_not_callable(target: Any) -> None:
    """Told."""
    with pytest.raises(UserError, match="is no class or function"):
        symbolize(target)


def test_scan_learns_names_from_text(tmp_path: Path) -> None:
    """Nothing is imported; the signature is read from the text too."""
    (tmp_path / "one.py").write_text(
        "import nothing_that_exists\n\n\n@register\nclass ToyScanned:\n"
        "    def __init__(self, width: int, depth: int = 2) -> None: ...\n\n\n"
        '@register(name="toy_alias")\n@decorated\ndef scanned(lr: float): ...\n\n\n'
        "@register()\ndef toy_called(): ...\n\n\nclass NotRegistered: ...\n"
    )
    scan(tmp_path, "toy_package")
    found = resolve("ToyScanned")
    assert (found.module, found.is_class) == ("toy_package.one", True)
    assert list(found.signature.params) == ["width", "depth"]
    assert list(resolve("toy_alias").signature.params) == ["lr"]
    assert resolve("toy_called").qualname == "toy_called"
    with pytest.raises(UserError, match=r"ToyScanned\.width: expected int"):
        found("x")
    with pytest.raises(UserError, match=r"cannot import toy_package\.one"):
        _ = found.target
    assert "NotRegistered" not in names()


# Resolving --------------------------------------------------------------------------------------


def test_members_of_listed_modules(module: str) -> None:
    """With a dot, with a colon, bare, nested; only what is listed."""
    for name in (f"{module}.Outer", f"{module}:Outer", "Outer"):
        assert resolve(name, [module]).target.__name__ == "Outer"
    assert resolve(f"{module}.Outer.Inner", [module])(3).a == 3
    assert resolve("function", [module])(1).build() == 3
    assert resolve("Fraction", [module])(1, 2).build() == 0.5  # in __all__
    with pytest.raises(UserError, match=r"the module toy_user_module is not listed under imports"):
        resolve(f"{module}.Outer")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "os.path.join",
        "path.join",
        "subprocess.Popen",
        "system",
        "Popen",
        "Outer.run",
        "Outer.number",
        "Outer.__init__",
        "Outer.__class__",
        "Outer.method.__globals__",
        "Outer.Inner.__init__.__globals__",
        "function.__globals__",
        "function.__code__",
        "_hidden",
        "_Private",
        "__builtins__",
        "__builtins__.exec",
        "number",
        "number.real",
        "missing",
        "Outer.missing",
    ],
)
def test_no_way_out_of_a_listed_module(module: str, name: str) -> None:
    """Nothing merely imported there, no underscores, no way through attributes."""
    with pytest.raises(UserError, match=r"has no callable|unknown symbol|not listed"):
        resolve(f"{module}.{name}", [module])
    with pytest.raises(UserError):
        resolve(name, [module])


@pytest.mark.parametrize("tag", ["logging.os.system", "logging:os.system", "logging.sys.exit"])
def test_a_module_inside_of_a_listed_one_is_not_listed(tag: str) -> None:
    """`logging` imports os, and yet `logging.os.system` leads nowhere; the tag's place is told."""
    with pytest.raises(UserError) as caught:
        from_yaml(f"a: 1\nx: !{tag.replace(':', '.')} [echo]\n", ["logging"], "r.yaml")
    assert str(caught.value).startswith("r.yaml:2:4: logging has no callable ")
    with pytest.raises(UserError, match="has no callable"):
        resolve(tag, ["logging"])


@pytest.mark.parametrize(
    ("name", "imports", "message"),
    [
        ("os.system", (), r"the module os is not listed under imports \(add it: imports: \[os\]\)"),
        ("fractoins.Fraction", ("fractions",), r"\(did you mean fractions\?\)"),
        ("fractions.Fractoin", ("fractions",), r"no callable Fractoin .*\(did you mean Fraction\?"),
        ("Fractoin", ("fractions",), r"unknown symbol Fractoin \(did you mean Fraction\?\)"),
        ("no_such_module.X", ("no_such_module",), "cannot import no_such_module: ModuleNotFound"),
        ("toyconv", (), r"unknown symbol toyconv \(did you mean ToyConv\?\)"),
        ("", (), "unknown symbol"),
    ],
)
def test_names_that_lead_nowhere(name: str, imports: tuple[str, ...], message: str) -> None:
    """The nearest name, or what to add."""
    with pytest.raises(UserError, match=message):
        resolve(name, imports)


def test_an_error_inside_of_the_users_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as it is."""
    (tmp_path / "toy_broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="cannot import toy_broken_module: ZeroDivisionError"):
        resolve("toy_broken_module.X", ["toy_broken_module"])


def test_a_class_found_in_two_ways_is_one_type(module: str) -> None:
    """Through a module that hands it on and through its own: equal nodes."""
    through = resolve("Fraction", [module])
    own = resolve("fractions.Fraction", ["fractions"])
    assert through(1, 2) == own(1, 2)
    assert through(1, 2).fingerprint() == own(1, 2).fingerprint()


def test_a_type_without_its_target() -> None:
    """A name alone is enough to find the callable again; a wrong one is told."""
    assert SymbolType("F", "fractions", "Fraction").target.__name__ == "Fraction"
    assert SymbolType("C", __package__ + ".programs", "Conv").target is ToyConv
    with pytest.raises(UserError, match="fractions has no Nothing"):
        _ = SymbolType("F", "fractions", "Nothing").target
    with pytest.raises(UserError, match="is a str, not a callable"):
        _ = SymbolType("F", "fractions", "__name__").target


def test_a_registered_name_wins_over_a_symbolised_one() -> None:
    """`symbolize` borrows a short name; whoever registers it later gets it."""

    def borrower() -> int:
        return 1

    def owner() -> int:
        return 2

    borrower.__qualname__ = owner.__qualname__ = "lent_name"
    borrower.__name__ = owner.__name__ = "lent_name"
    owner.__module__ = "somewhere_else"
    lent = symbolize(borrower)
    assert lent.name == "lent_name"
    register(owner)
    assert registry.resolve("lent_name").target is owner
    assert lent.name.endswith(":lent_name")
    assert lent().build() == 1
