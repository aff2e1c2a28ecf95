"""Paths into a symbolic tree, and patterns over them.

A path is a tuple of keys: an argument name or mapping key (str), or a position in a list (int).
It is written as in Python: `model.blocks[3].kernel_size`. The empty path is the root.
A pattern is a path in which `*` stands for any one key, `[*]` for any one position and `**` for
any number of keys, none included; `[1:]` and `[2:5]` stand for a span of positions.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from automl_spaces.errors import PathError

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""\.?(?P<name>\*\*|\*|[A-Za-z_][\w-]*)   # a name, * or **
      | \[(?P<index>-?\d+|\*|\d*:\d*)\]          # [3], [*] or [1:]
      | \.?\[(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]   # ['any key'], quoted as in Python""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*\Z")


class Wild(str):
    """A wildcard of a pattern: `*`, `[*]` or `**`."""

    __slots__ = ()

    def fits(self, key: str | int, listed: bool) -> bool:
        """Whether a key, of a list when `listed`, is one that the wildcard stands for."""
        return listed or self != "[*]"


class Span(Wild):
    """Positions from `start` up to and without `stop`, written `[1:]` or `[2:5]`."""

    __slots__ = ("start", "stop")
    start: int
    stop: int | None

    @classmethod
    def read(cls, text: str) -> Span:
        """From `1:` or `2:5`."""
        span = cls(f"[{text}]")
        start, _, stop = text.partition(":")
        span.start, span.stop = int(start or 0), int(stop) if stop else None
        return span

    def fits(self, key: str | int, listed: bool) -> bool:
        """Whether a key is one of these positions of a list."""
        inside = listed and isinstance(key, int) and key >= self.start
        return inside and (self.stop is None or int(key) < self.stop)


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
        elif index and ":" in index:
            keys.append(Span.read(index))
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
        elif key is ANY_INDEX or isinstance(key, Span):
            parts.append(str(key))
        elif isinstance(key, Wild) or _PLAIN.match(key):
            parts.append(f".{key}" if parts else key)
        else:
            parts.append(f"[{key!r}]")
    return "".join(parts)
