"""Rules: how a class shares weights between the values of its own arguments.

A choice between modules needs no rule. A choice of a number inside of a module does: by default
the module is built once per value, and the values share nothing. A rule says better, for example
that kernel sizes are cut out of the largest. It stands outside of the class, which stays as it
is: `@elastic_rule(TheClass, "kernel_size")` on a function, in any module that is imported, or in
the module `<module of the class>_elastic`, which is found by its name.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from torch import Tensor, nn

from automl_algorithms.weight_sharing.gates import Gate
from automl_spaces.symbols import Symbol, SymbolType


@dataclass(frozen=True)
class Open:
    """What stands in the place of an argument that is a choice.

    Attributes:
        gate: of the decision point; other places may share it.
        values: the candidates at this place, as many as the gate has: numbers, texts, symbols.
    """

    gate: Gate
    values: tuple[Any, ...]


def options(value: Any) -> tuple[tuple[Any, ...], Gate | None]:
    """What an argument can be, and the gate that decides it; no gate when it is fixed."""
    return (value.values, value.gate) if isinstance(value, Open) else ((value,), None)


Build = Callable[[Any], Any]
"""Builds what stands below a node: `Open` modules become switches, nodes become modules."""
Rule = Callable[[Symbol, Build], Any]
"""From a node to what its class would have been when built, or None to leave it to copies.

The arguments of the node are plain data, nodes, lists, or `Open`. What is returned is a module or
has `build_for` or `assemble` as the class has; its modules of another form than the stand-alone
ones have a method `derived_state`.
"""


class _Entry(NamedTuple):
    shares: tuple[str, ...]
    rule: Rule


_rules: dict[Any, _Entry] = {}


def elastic_rule(cls: Any, *shares: str) -> Callable[[Rule], Rule]:
    """Declare a rule for exactly this class.

    Args:
        cls: a class, or its `SymbolType`.
        shares: the arguments in which the rule takes over every choice, at any depth. Choices in
            other arguments are settled before the rule is asked.
    """
    target = cls.target if isinstance(cls, SymbolType) else cls

    def declare(rule: Rule) -> Rule:
        _rules[target] = _Entry(shares, rule)
        return rule

    return declare


def find_rule(node: Symbol) -> tuple[tuple[str, ...], Rule] | None:
    """The arguments that a node's class can share and its rule; None without one."""
    _import_beside(node.type.home[0])
    return _rules.get(node.type.target)


@lru_cache(maxsize=256)
def _import_beside(module: str) -> None:
    name = f"{module}_elastic"
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # the package itself is not importable, or has no spec
        found = False
    if found:
        importlib.import_module(name)


Decided = Callable[[Gate], int]
"""The index that a decision record has for a gate."""


def derived_state(module: nn.Module, decided: Decided) -> dict[str, Tensor]:
    """The state of the stand-alone module that a record stands for, under its own names.

    A module whose stand-alone form is another one says so by a method of this name.
    """
    state: dict[str, Tensor] = {}
    special = getattr(module, "derived_state", None)
    if special is not None:
        state.update(special(decided))
        return state
    module._save_to_state_dict(state, "", keep_vars=True)  # its own entries, not its children's
    for name, child in module.named_children():
        for key, value in derived_state(child, decided).items():
            state[f"{name}.{key}"] = value
    return state
