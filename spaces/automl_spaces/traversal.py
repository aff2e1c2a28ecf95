"""One traversal for everything that reads or edits a tree: walk, query, rebind, diff, equality."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from automl_spaces.errors import PathError, UserError, did_you_mean
from automl_spaces.lookups import lookup
from automl_spaces.paths import ANY_DEPTH, ANY_INDEX, Path, Wild, format_path, parse_path
from automl_spaces.signatures import OPAQUE, REQUIRED
from automl_spaces.symbols import ATOMS, Symbol, SymbolType, adopt, clone


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


def find(root: Any, what: Any) -> Iterator[tuple[Path, Any]]:
    """The (path, value) pairs that fit: a pattern, a `SymbolType`, or a predicate of the value.

    A pattern also reaches parameters that are not given and have a literal default.
    """
    if isinstance(what, str):
        yield from _find_pattern(root, (), parse_path(what, pattern=True), set())
    else:
        fits: Callable[[Any], bool] = what.made if isinstance(what, SymbolType) else what
        for path, value, _ in walk(root):
            if fits(value):
                yield path, value


def _find_pattern(
    value: Any, path: Path, pattern: Path, seen: set[tuple[Path, int]]
) -> Iterator[tuple[Path, Any]]:
    if (path, len(pattern)) in seen:  # two `**` lead to one place in many ways
        return
    seen.add((path, len(pattern)))
    if not pattern:
        yield path, value
        return
    head, rest = pattern[0], pattern[1:]
    if isinstance(head, Wild):
        deep = head is ANY_DEPTH
        if deep:
            yield from _find_pattern(value, path, rest, seen)
        for key, child in children(value):
            if head.fits(key, isinstance(value, list | tuple)):
                yield from _find_pattern(child, (*path, key), pattern if deep else rest, seen)
        return
    try:
        child = lookup(value, (head,))
    except PathError:
        return
    if isinstance(value, list | tuple) and isinstance(head, int) and head < 0:
        head += len(value)
    yield from _find_pattern(child, (*path, head), rest, seen)


def query(root: Any, what: Any) -> dict[str, Any]:
    """Like `find`, as a mapping of written paths."""
    return {format_path(path): value for path, value in find(root, what)}


def nearest_paths_hint(root: Any, pattern: str) -> str:
    """A hint that names the existing path, or pattern, most like one that fits nothing."""
    known: set[str] = set()
    for path, value, _ in walk(root):
        places = [path] if path else []
        if isinstance(value, Symbol):  # what could be given there counts as well
            places += [(*path, name) for name in value.type.signature.params]
        for place in places:
            general = tuple(ANY_INDEX if isinstance(k, int) else k for k in place)
            known.update((format_path(place), format_path(general)))
    return did_you_mean(pattern, known)


# Editing ---------------------------------------------------------------------------------------


def replace(root: Any, path: Path, value: Any) -> Any:
    """Put a value at a path, in place; returns the root, or the value when the path is empty.

    Raises:
        PathError: when the place does not exist and the parent cannot take it.
        UserError: when the argument does not take the value; nothing is changed then.
    """
    if not path:
        return value
    if value.__class__ not in ATOMS and _holds(value, root):
        value = clone(value)  # `program.rebind(model=Wrapper(program))` wraps what was there
    parent, key = lookup(root, path[:-1]), path[-1]
    if isinstance(parent, Symbol):
        if not isinstance(key, str):
            raise PathError(f"{format_path(path[:-1])} is a {parent.type.name}, not a list")
        parent.type.accept(parent, key, value)
        parent.args[key] = adopt(value)
        parent.touch()
    elif isinstance(parent, dict):
        _put(root, path, adopt(value))
    elif isinstance(parent, list | tuple):
        lookup(root, path)
        if isinstance(parent, list):
            _put(root, path, adopt(value))
        else:
            items = list(parent)
            items[key] = value  # type: ignore[index]
            return replace(root, path[:-1], tuple(items))
    else:
        where = format_path(path[:-1]) or "the root"
        raise PathError(f"{where} is a {type(parent).__name__} without parts")
    return root


def _holds(value: Any, root: Any) -> bool:
    return value is root or any(_holds(child, root) for _, child in children(value))


def _put(root: Any, path: tuple[Any, ...], value: Any) -> None:
    """Set an element; it is taken back when the node that owns the list does not take it."""
    owner, name = None, ""
    for end in range(len(path) - 1, -1, -1):
        above = lookup(root, path[:end])
        if isinstance(above, Symbol):
            owner, name = above, str(path[end])
            if name not in owner.args:  # a default is not ours to change
                owner.args[name] = clone(owner.get(name))
            break
    parent, key = lookup(root, path[:-1]), path[-1]
    old = parent[key] if isinstance(parent, list) or key in parent else MISSING
    parent[key] = value
    if owner is None:
        return
    try:
        owner.type.accept(owner, name, owner.args[name])
    except UserError:
        if old is MISSING:
            del parent[key]
        else:
            parent[key] = old
        raise
    owner.touch()


def rebind(root: Symbol, edits: Any = None, by_name: dict[str, Any] | None = None) -> None:
    """Change a tree in place.

    Args:
        edits: a mapping of paths or patterns to values, or a function of (path, value, nearest
            node above) that is asked about every node and leaf, children first, and returns the
            new value, or None to leave it.
        by_name: further paths, as keyword arguments.

    Raises:
        PathError: a path or pattern that fits nothing, with the nearest that exists.
        UserError: a value that the argument does not take.
    """
    if callable(edits) and not isinstance(edits, Symbol):
        _rebind_below(root, (), root, root, edits)
        edits = None
    for changes in (edits, by_name):
        for text, value in changes.items() if changes else ():
            _rebind_one(root, text, value)


def _rebind_one(root: Symbol, text: str, value: Any) -> None:
    path = (text,) if text in root.args else parse_path(text, pattern=True)
    if not any(isinstance(key, Wild) for key in path):
        if not path:
            raise PathError("the root itself cannot be rebound: use its new value instead")
        try:
            replace(root, path, value)
        except PathError as error:
            message, hint = error.problems[0].message, nearest_paths_hint(root, text)
            raise PathError(message, path=text, hint=hint) from None
        return
    found = [path for path, _ in find(root, text) if path]
    if not found:
        hint = nearest_paths_hint(root, text)
        raise PathError(f"{text} matches nothing in {root.type.name}", hint=hint)
    for path in sorted(found, key=len, reverse=True):  # the inner ones, while they exist
        replace(root, path, value)


def _rebind_below(
    root: Symbol, path: Path, value: Any, owner: Symbol, edit: Callable[[str, Any, Symbol], Any]
) -> None:
    inner = value if isinstance(value, Symbol) else owner
    for key, child in children(value):
        here = (*path, key)
        _rebind_below(root, here, child, inner, edit)
        current = lookup(root, here)  # a tuple is made anew by an edit inside of it
        new = edit(format_path(here), current, inner)
        if new is not None and new is not current:
            replace(root, here, new)


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
    if type(a) is not type(b) and not (_number(a) and _number(b)):
        return False
    return bool(a == b) or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


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
            a, b = argument(old, key), argument(new, key)
            if a is not b:
                _diff(a, b, (*path, key), changes)
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
