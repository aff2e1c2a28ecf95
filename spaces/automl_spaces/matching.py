"""The inverse of materialising: which decisions lead to a given program."""

from __future__ import annotations

from typing import Any, Final

from automl_spaces.choices import Choice
from automl_spaces.compiler import candidate_labels, id_of, join, slots_of
from automl_spaces.points import Point
from automl_spaces.symbols import Symbol
from automl_spaces.traversal import MISSING, argument, same

UNKNOWN: Final = MISSING
Found = dict[str, int | float]


def match(template: Any, program: Any, prefix: str, points: dict[str, Point]) -> Found | None:
    """Decisions by point id that turn a template into a program; None when none do."""
    if isinstance(template, Choice):
        return _match_choice(template, program, id_of(template, prefix), points)
    if isinstance(template, Symbol):
        if not isinstance(program, Symbol) or not template.type.made(program):
            return None
        keys: list[Any] = list({**template.args, **program.args})
        pairs = [(k, argument(template, k), argument(program, k)) for k in keys]
    elif isinstance(template, dict):
        if not isinstance(program, dict) or template.keys() != program.keys():
            return None
        pairs = [(k, v, program[k]) for k, v in template.items()]
    elif isinstance(template, list | tuple):
        if not isinstance(program, list | tuple) or len(template) != len(program):
            return None
        pairs = [(i, v, program[i]) for i, v in enumerate(template)]
    else:
        return {} if same(template, program) else None
    return _merge(match(t, p, join(prefix, k), points) for k, t, p in pairs)


def _merge(parts: Any) -> Found | None:
    """All parts together; None when one fails or two disagree about a shared decision."""
    merged: Found = {}
    for part in parts:
        if part is None or any(merged.get(id, value) != value for id, value in part.items()):
            return None
        merged |= part
    return merged


def _match_choice(choice: Choice, program: Any, id: str, points: dict[str, Point]) -> Found | None:
    if "candidates" not in choice.args:
        value = points[id].read(program)
        return None if value is None else {id: value}
    labels = candidate_labels(choice)

    def slot(slot_id: str, value: Any) -> Found | None:
        for i, candidate in enumerate(choice.args["candidates"]):
            inner = match(candidate, value, f"{slot_id}({labels[i]})", points)
            if inner is not None:
                return {slot_id: i, **inner}
        return None

    slots = slots_of(choice, id)
    if choice.type.name == "oneof":
        return slot(id, program)
    if not isinstance(program, list | tuple) or len(program) != len(slots):
        return None
    return _merge(slot(s, v) for s, v in zip(slots, program, strict=True))


def static_program(template: Any) -> Any:
    """The program that stood there before the choices; `UNKNOWN` where one replaced nothing."""
    if isinstance(template, Choice):
        return static_program(template.args["default"]) if template.has_default else UNKNOWN
    if isinstance(template, Symbol):
        args = {k: static_program(v) for k, v in template.args.items()}
        return UNKNOWN if _unknown(args.values()) else template.type.make(args, template.mark)
    if isinstance(template, dict):
        made = {k: static_program(v) for k, v in template.items()}
        return UNKNOWN if _unknown(made.values()) else made
    if isinstance(template, list | tuple):
        items = [static_program(v) for v in template]
        return UNKNOWN if _unknown(items) else items
    return template


def _unknown(values: Any) -> bool:
    return any(v is UNKNOWN for v in values)
