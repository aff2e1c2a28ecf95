"""One error format for the whole project: every mistake carries where it was made.

A `Problem` is one mistake; an `AutomlError` carries one or many, so that a recipe with five
mistakes is reported once, with five lines, and not five times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in a text: file name, line and column, both counted from 1.

    Line 0 means that the file as a whole is meant.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line or self.file.startswith("--"):  # an option has no lines
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One mistake: what is wrong, where it stands, and what was probably meant.

    Args:
        message: one sentence that says what was found and what was expected.
        mark: where it was written; None when nothing was written at all.
        path: the symbolic path or recipe key concerned, for instance `algorithm.tournment`.
        hint: what to do, for instance `did you mean tournament?`.
    """

    message: str
    mark: Mark | None = None
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        parts = [str(self.mark)] if self.mark else []
        if self.path:
            parts.append(self.path)
        parts.append(f"{self.message} ({self.hint})" if self.hint else self.message)
        return ": ".join(parts)


class AutomlError(Exception):
    """Base of every error that a user sees as a message and never as a traceback."""

    exit_code = 1

    def __init__(
        self,
        message: str | Iterable[Problem] = "",
        mark: Mark | None = None,
        *,
        path: str = "",
        hint: str = "",
    ) -> None:
        if isinstance(message, str):
            self.problems = [Problem(message, mark, path, hint)]
        else:
            self.problems = list(message)
        super().__init__("\n".join(str(p) for p in self.problems))


class UserError(AutomlError):
    """The user's own mistake: a recipe, an option or a call that cannot be meant so."""

    exit_code = 2


class PathError(UserError, LookupError):
    """A path that leads nowhere in a tree."""


class Problems:
    """Collects mistakes so that all of them can be raised together."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.noted = 0  # also counts those that were known already

    def add(self, message: str, mark: Mark | None = None, path: str = "", hint: str = "") -> None:
        """Note one mistake and go on."""
        problem = Problem(message, mark, path, hint)
        self.noted += 1
        if problem not in self.found:
            self.found.append(problem)

    def extend(self, error: AutomlError, mark: Mark | None = None, path: str = "") -> None:
        """Take over the mistakes of an error; fill in a place where they have none."""
        for p in error.problems:
            self.add(p.message, p.mark or mark, p.path or path, p.hint)

    def raise_if_any(self) -> None:
        """Raise `UserError` with every mistake noted, in the order of their places."""
        if self.found:
            self.found.sort(key=lambda p: p.mark or Mark(""))
            raise UserError(self.found)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when none is near.

    Case and the part before the last dot do not count: `mobilenetv2` finds `MobileNetV2`.
    """
    import difflib  # only a mistake needs it

    candidates = {str(k): str(k) for k in known}
    folded = {k.rpartition(".")[2].lower(): k for k in candidates} | {
        k.lower(): k for k in candidates
    }
    for attempt in (name.lower(), name.rpartition(".")[2].lower()):
        match = difflib.get_close_matches(attempt, folded, n=1, cutoff=0.6)
        if match:
            return folded[match[0]]
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint with the nearest known name; else the whole list when it is short; else nothing."""
    names = sorted({str(k) for k in known})
    found = nearest(name, names)
    if found:
        return f"did you mean {found}?"
    if 0 < len(names) <= 12:
        return "known: " + ", ".join(names)
    return ""
