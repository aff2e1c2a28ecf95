"""Walking a program's tree in which choices are open: `Open` stands in the place of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from automl_algorithms.weight_sharing.elastic import Open
from automl_spaces.traversal import children


def opens(value: Any) -> Iterator[Open]:
    """Every open place of a tree, outer ones first."""
    if isinstance(value, Open):
        yield value
    for child in below(value):
        yield from opens(child)


def below(value: Any) -> list[Any]:
    """The parts of a node, of a list or mapping, or the candidates of an open place."""
    return list(value.values) if isinstance(value, Open) else [v for _, v in children(value)]


def mapped(value: Any, function: Callable[[Any, Any], Any]) -> Any:
    """A list, tuple or mapping with each element replaced by `function(element, key)`."""
    if isinstance(value, dict):
        return {k: function(v, k) for k, v in value.items()}
    return type(value)(function(v, i) for i, v in enumerate(value))


def listed(ids: Iterable[str]) -> str:
    """Each once, but not all of a large network's."""
    unique = list(dict.fromkeys(ids))
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    return ", ".join(unique[:3]) + more
