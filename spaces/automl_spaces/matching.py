"""The inverse of materialising: which decisions lead to a given program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from automl_spaces.choices import Choice
from automl_spaces.compiler import id_of, join, slots_of
from automl_spaces.points import Point
from automl_spaces.symbols import ATOMS, Symbol
from automl_spaces.traversal import MISSING, argument, same

UNKNOWN: Final = MISSING
Found = dict[str, int | float]
Goal = tuple[Any, Any, str]  # a template, the program that it should become, their id
Agenda = tuple[Goal, "Agenda"] | None  # goals still to be met, as a linked list


class _Slot(NamedTuple):
    """Stands as a template for one slot of a choice; its id is the slot's."""

    choice: Choice


def matches(template: Any, program: Any, points: Mapping[str, Point]) -> Iterator[Found]:
    """Every set of decisions, by point id, that turns a template into a program.

    Candidates may overlap, and a shared name may rule out the first one that fits: then the
    search goes back to the last open alternative.
    """
    branches: list[tuple[Agenda, Found]] = [(((template, program, ""), None), {})]
    while branches:
        agenda, found = branches.pop()
        while agenda is not None:
            (part, value, id), agenda = agenda
            if isinstance(part, Choice | _Slot):
                options = list(_options(part, value, id, points, found))
                for goals, decided in reversed(options[1:]):
                    branches.append((_add(goals, agenda), found | decided))
                if not options:
                    break
                goals, decided = options[0]
                found = found | decided
            else:
                parts = _parts(part, value, id)
                if parts is None:
                    break
                goals = parts
            agenda = _add(goals, agenda)
        else:
            yield found


def _add(goals: Iterable[Goal], agenda: Agenda) -> Agenda:
    for goal in goals:
        agenda = (goal, agenda)
    return agenda


def _parts(template: Any, program: Any, id: str) -> list[Goal] | None:
    """What must match below; None when the two cannot match."""
    pairs: list[tuple[Any, Any, Any]]
    if isinstance(template, Symbol):
        if not template.type.made(program):
            return None
        keys = {**template.args, **program.args}
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
        return [] if same(template, program) else None
    goals: list[Goal] = []
    for key, part, value in pairs:
        if not isinstance(part, ATOMS):
            goals.append((part, value, join(id, key)))
        elif not same(part, value):
            return None
    return goals


def _options(
    part: Choice | _Slot, value: Any, id: str, points: Mapping[str, Point], found: Found
) -> Iterator[tuple[list[Goal], Found]]:
    """The ways in which a choice can have led to a value: goals below, and what is decided."""
    choice = part.choice if isinstance(part, _Slot) else part
    if part is choice:
        id = id_of(choice, id)
        if choice.type.name in ("manyof", "permutate"):
            slots = slots_of(choice, id)
            if isinstance(value, list | tuple) and len(value) == len(slots):
                yield [(_Slot(choice), v, slot) for slot, v in zip(slots, value, strict=True)], {}
            return
    point = points[id]
    if point.kind != "categorical":
        number = point.read(value)
        if number is not None and found.get(id, number) == number:
            yield [], {id: number}
        return
    for i, candidate in enumerate(choice.args["candidates"]):
        if found.get(id, i) != i:
            continue
        if isinstance(candidate, ATOMS):
            if same(candidate, value):
                yield [], {id: i}
        elif isinstance(candidate, Choice) or not (
            isinstance(candidate, Symbol) and not candidate.type.made(value)
        ):
            yield [(candidate, value, f"{id}({point.labels[i]})")], {id: i}


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
