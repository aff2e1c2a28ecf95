"""Paths into a symbolic tree, and patterns over them.

A path is a tuple of keys: an argument name or mapping key (str), or a position in a list (int).
It is written as in Python: `model.blocks[3].kernel_size`. The empty path is the root.
A pattern is a path in which `*` stands for any one key, `[*]` for any one position and `**` for
any number of keys, none included.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from automl_spaces.errors import PathError

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""\.?(?P<name>\*\*|\*|[A-Za-z_][\w-]*)   # a name, * or **
      | \[(?P<index>-?\d+|\*)\]                # [3] or [*]
      | \.?\[(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]   # ['any key'], escaped as in Python""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*\Z")


class Wild(str):
    """A wildcard of a pattern: `*`, `[*]` or `**`."""

    __slots__ = ()


ANY_KEY, ANY_INDEX, ANY_DEPTH = Wild("*"), Wild("[*]"), Wild("**")


@lru_cache(maxsize=4096)
def parse_path(text: str, *, pattern: bool = False) -> Path:
    """Read a path, or with `pattern=True` a pattern.

    Raises:
        PathError: when the text is not a path, with the column of the first bad character.
    """
    keys: list[str | int] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or (position == 0 and text[0] == "."):
            raise PathError(f"{text!r} is not a path: cannot read from {text[position:]!r} on")
        name, index, key = match["name"], match["index"], match["key"]
        if position and name and text[position] != ".":
            raise PathError(f"{text!r} is not a path: a dot is missing before {name!r}")
        if key is not None:
            keys.append(_unquote(key, text))
        elif name in ("*", "**"):
            keys.append(ANY_KEY if name == "*" else ANY_DEPTH)
        elif index == "*":
            keys.append(ANY_INDEX)
        else:
            keys.append(name if name else int(index))
        position = match.end()
    if not pattern and any(isinstance(k, Wild) for k in keys):
        raise PathError(f"{text!r} has a wildcard where one place is expected")
    return tuple(keys)


def _unquote(key: str, text: str) -> str:
    try:
        return str(ast.literal_eval(key))
    except (ValueError, SyntaxError):
        raise PathError(f"{text!r} is not a path: {key} is not a text") from None


def format_path(path: Path) -> str:
    """Write a path as `parse_path` reads it."""
    parts: list[str] = []
    for key in path:
        if not isinstance(key, str):
            parts.append(f"[{key!r}]")
        elif key is ANY_INDEX:
            parts.append("[*]")
        elif isinstance(key, Wild) or _PLAIN.match(key):
            parts.append(f".{key}" if parts else key)
        else:
            parts.append(f"[{key!r}]")
    return "".join(parts)


def path_matches(pattern: Path, path: Path) -> bool:
    """Whether the whole of `path` fits the pattern."""
    if not pattern:
        return not path
    head, rest = pattern[0], pattern[1:]
    if head is ANY_DEPTH:
        return any(path_matches(rest, path[i:]) for i in range(len(path) + 1))
    if not path:
        return False
    if isinstance(head, Wild):
        fits = isinstance(path[0], int) if head is ANY_INDEX else True
    else:
        fits = head == path[0]
    return fits and path_matches(rest, path[1:])
