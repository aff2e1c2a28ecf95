"""Programs and spaces as plain text: a tree, and decision points with repeats folded together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from automl_spaces.choices import Choice
from automl_spaces.points import Point
from automl_spaces.space import Space
from automl_spaces.symbols import ATOMS, Symbol

_WIDE = 96
_POSITION = re.compile(r"\[(\d+)\]")


def one_line(value: Any) -> str:
    """A value as it would be written in one line of a recipe."""
    if isinstance(value, Choice):
        return _choice_text(value)
    if isinstance(value, Symbol):
        inside = ", ".join(f"{k}: {one_line(v)}" for k, v in value.args.items())
        return f"{_name(value)}({inside})"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(one_line, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {one_line(v)}" for k, v in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _name(node: Symbol) -> str:
    return node.type.name.rpartition(":")[2]


def _choice_text(choice: Choice) -> str:
    args = choice.args
    if "candidates" in args:
        head = f"{choice.type.name} {args['k']} of" if "k" in args else choice.type.name
        return f"{head} {one_line(args['candidates'])}"
    scale = choice.get("scale")
    tail = "" if scale == "linear" else f" {scale}"
    return f"{choice.type.name} [{one_line(args['min'])}, {one_line(args['max'])}]{tail}"


def tree(value: Any, label: str = "", indent: str = "") -> Iterator[str]:
    """Lines of a tree; what fits on a line stays on it."""
    text = one_line(value)
    head = f"{label}: " if label else ""
    nodes = isinstance(value, Symbol) and not isinstance(value, Choice)
    if isinstance(value, ATOMS) or len(indent) + len(head) + len(text) <= _WIDE:
        yield f"{indent}{head}{text}"
        return
    if nodes:
        yield f"{indent}{head}{_name(value)}"
        inside = list(value.args.items())
    elif isinstance(value, Choice):
        yield f"{indent}{head}{value.type.name}"
        inside = [("", v) for v in value.args.get("candidates", ())]
    elif isinstance(value, dict):
        yield f"{indent}{head}"
        inside = [(str(k), v) for k, v in value.items()]
    else:
        yield f"{indent}{head}".rstrip()
        inside = [("-", v) for v in value]
    for key, child in inside:
        if key == "-":
            first, *rest = tree(child, "", indent + "    ")
            yield f"{indent}  - {first.strip()}"
            yield from rest
        else:
            yield from tree(child, key, indent + "  ")


def folded_points(space: Space) -> list[tuple[str, str, int]]:
    """(id, what can be chosen, how often) with places that differ in one position folded.

    `model.blocks[0..16].kernel_size  {3, 5, 7}  17`.
    """
    groups: dict[tuple[str, str], list[tuple[Point, list[int]]]] = {}
    for point in space.points:
        numbers = [int(n) for n in _POSITION.findall(point.id)]
        pattern = _POSITION.sub("[#]", point.id)
        groups.setdefault((pattern, point.describe()), []).append((point, numbers))
    rows = []
    for (pattern, what), members in groups.items():
        name = members[0][0].id
        if len(members) > 1:
            name = pattern
            for position in range(len(members[0][1])):
                name = name.replace("[#]", f"[{_spans([n[position] for _, n in members])}]", 1)
        rows.append((name, what, len(members)))
    return rows


def _spans(numbers: list[int]) -> str:
    """0, 1, 2, 5 as `0..2,5`."""
    spans: list[list[int]] = []
    for n in sorted(set(numbers)):
        if spans and n == spans[-1][1] + 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ",".join(str(a) if a == b else f"{a}..{b}" for a, b in spans)
