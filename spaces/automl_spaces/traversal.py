"""One traversal for everything that reads or edits a tree: walk, query, rebind, diff, equality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from automl_spaces.errors import PathError, Problems, did_you_mean
from automl_spaces.paths import Path, Wild, format_path, parse_path, path_matches
from automl_spaces.signatures import OPAQUE, REQUIRED
from automl_spaces.symbols import Symbol, SymbolType, adopt, lookup


class _Missing:
    def __repr__(self) -> str:
        return "(absent)"


MISSING = _Missing()


class Change(NamedTuple):
    """One difference: at a path, from an old value to a new one; `MISSING` where there is none."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.old!r} -> {self.new!r}"


def children(value: Any) -> list[tuple[str | int, Any]]:
    """The (key, child) pairs of a node, list or mapping; none for a leaf."""
    if isinstance(value, Symbol):
        return list(value.args.items())
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    return []


def walk(
    value: Any, path: Path = (), parent: Symbol | None = None
) -> Iterator[tuple[Path, Any, Symbol | None]]:
    """Every (path, value, nearest parent node), parents before children."""
    yield path, value, parent
    inner = value if isinstance(value, Symbol) else parent
    for key, child in children(value):
        yield from walk(child, (*path, key), inner)


def paths(root: Any) -> list[str]:
    """Every path of a tree, written out."""
    return [format_path(path) for path, _, _ in walk(root) if path]


def find(root: Any, what: Any) -> Iterator[tuple[Path, Any]]:
    """The (path, value) pairs that fit: a pattern, a `SymbolType`, or a predicate of the value.

    A pattern also reaches parameters that are not given and have a literal default.
    """
    if isinstance(what, str):
        yield from _find_pattern(root, (), parse_path(what, pattern=True))
    else:
        fits: Callable[[Any], bool] = what.made if isinstance(what, SymbolType) else what
        for path, value, _ in walk(root):
            if fits(value):
                yield path, value


def _find_pattern(value: Any, path: Path, pattern: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
        return
    head, rest = pattern[0], pattern[1:]
    if not isinstance(head, Wild):
        try:
            child = lookup(value, (head,))
        except PathError:
            return
        yield from _find_pattern(child, (*path, head), rest)
        return
    if any(isinstance(k, Wild) and k == "**" for k in pattern):
        for deep, found, _ in walk(value):
            if path_matches(pattern, deep):
                yield (*path, *deep), found
        return
    for key, child in children(value):
        if path_matches((head,), (key,)):
            yield from _find_pattern(child, (*path, key), rest)


def query(root: Any, what: Any) -> dict[str, Any]:
    """Like `find`, as a mapping of written paths."""
    return {format_path(path): value for path, value in find(root, what)}


def nearest_paths_hint(root: Any, pattern: str) -> str:
    """A hint that names the existing path, or the class, most like a pattern that fits nothing."""
    exact = paths(root)
    general = {p.replace(f"[{k}]", "[*]") for p in exact for k in _indices(p)}
    return did_you_mean(pattern, general.union(exact))


def _indices(path: str) -> list[int]:
    return [k for k in parse_path(path) if isinstance(k, int)]


# Editing ---------------------------------------------------------------------------------------


def replace(root: Any, path: Path, value: Any) -> Any:
    """Put a value at a path, in place; returns the root, or the value when the path is empty.

    Raises:
        PathError: when the place does not exist and the parent cannot take it.
    """
    if not path:
        return value
    parent, key = lookup(root, path[:-1]), path[-1]
    if isinstance(parent, Symbol):
        problems = Problems()
        if not isinstance(key, str):
            raise PathError(f"{format_path(path[:-1])} is a {parent.type.name}, not a list")
        parent.type.check_argument(key, value, problems, parent.mark)
        problems.raise_if_any()
        parent.args[key] = adopt(value)
        parent.touch()
        return root
    lookup(parent, (key,)) if isinstance(parent, list) else None
    if not isinstance(parent, list | dict):
        raise PathError(f"{format_path(path[:-1])} is a {type(parent).__name__} without parts")
    parent[key] = adopt(value)  # type: ignore[index]
    _touch_owner(root, path[:-1])
    return root


def _touch_owner(root: Any, path: Path) -> None:
    for end in range(len(path), -1, -1):
        node = lookup(root, path[:end])
        if isinstance(node, Symbol):
            node.touch()
            return


def rebind(root: Symbol, edits: Any = None, by_name: dict[str, Any] | None = None) -> None:
    """Change a tree in place.

    Args:
        edits: a mapping of paths or patterns to values, or a function of (path, value, parent
            node) that is asked about every node and leaf, children first, and returns the new
            value, or None to leave it.
        by_name: further paths, as keyword arguments.

    Raises:
        PathError: a path or pattern that fits nothing, with the nearest that exists.
        UserError: a value that the argument does not take.
    """
    if callable(edits) and not isinstance(edits, Symbol):
        _rebind_children(root, (), edits)
        edits = {}
    for text, value in {**(edits or {}), **(by_name or {})}.items():
        if text in root.args or "*" not in text:
            _set(root, text, value)
            continue
        found = [path for path, _ in find(root, text)]
        if not found:
            raise PathError(
                f"{text} matches nothing in {root.type.name}", hint=nearest_paths_hint(root, text)
            )
        for path in found:
            replace(root, path, value)


def _set(root: Symbol, text: str, value: Any) -> None:
    path = parse_path(text)
    try:
        replace(root, path, value)
    except PathError as error:
        raise PathError(
            error.problems[0].message, path=text, hint=nearest_paths_hint(root, text)
        ) from None


def _rebind_children(value: Any, path: Path, edit: Callable[[str, Any, Any], Any]) -> bool:
    changed = False
    parent = value if isinstance(value, Symbol) else None
    for key, child in children(value):
        here = (*path, key)
        deeper = _rebind_children(child, here, edit)
        new = edit(format_path(here), child, parent)
        if new is not None and new is not child:
            replace(value, (key,), new)
            changed = True
        elif deeper:
            changed = True
    if changed and parent is not None:
        parent.touch()
    return changed


# Comparing -------------------------------------------------------------------------------------


def argument(node: Symbol, name: str) -> Any:
    """An argument or its literal default; `MISSING` when there is neither."""
    value = node.get(name)
    return MISSING if value is REQUIRED or value is OPAQUE else value


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal. An argument given as its default equals one not given."""
    if a is b:
        return True
    if isinstance(a, Symbol):
        if not isinstance(b, Symbol) or not a.type.made(b):
            return False
        x, y = a.args, b.args
        if x.keys() == y.keys():
            return all(same(v, y[k]) for k, v in x.items())
        return all(same(argument(a, k), argument(b, k)) for k in {**x, **y})
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return (type(a) is type(b) and bool(a == b)) or (_number(a) and _number(b) and bool(a == b))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def diff(old: Any, new: Any) -> list[Change]:
    """What changes from one tree to another, deepest places first mentioned in tree order."""
    changes: list[Change] = []
    _diff(old, new, (), changes)
    return changes


def _diff(old: Any, new: Any, path: Path, changes: list[Change]) -> None:
    if old is new:
        return
    if isinstance(old, Symbol) and isinstance(new, Symbol) and old.type.made(new):
        for key in {**old.args, **new.args}:
            _diff(argument(old, key), argument(new, key), (*path, key), changes)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            _diff(old.get(key, MISSING), new.get(key, MISSING), (*path, key), changes)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        for i in range(max(len(old), len(new))):
            _diff(
                old[i] if i < len(old) else MISSING,
                new[i] if i < len(new) else MISSING,
                (*path, i),
                changes,
            )
    elif not same(old, new):
        changes.append(Change(format_path(path), old, new))
