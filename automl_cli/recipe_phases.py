"""The section `phases:` of a recipe, read and written.

phases:
- {decide: accelerator, trials: 50}
- {decide: [model, optimizer.lr], trials: 50}
- {repeat: 10}                                  the last item, if there is one: all of it again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from yaml.nodes import MappingNode, Node, SequenceNode

from automl_algorithms.phased import Phase, never, opened
from automl_spaces.errors import AutomlError, Problems, did_you_mean
from automl_spaces.yaml_reader import STANDARD, mark_of, plain

if TYPE_CHECKING:
    from automl_spaces.space import Space

KEYS: Final = ("decide", "trials", "repeat")
_SHOWN: Final = 5  # decisions
EXPECTED: Final = "expected a list of {decide: [...], trials: ...}, at the end {repeat: ...}"


class Phases(NamedTuple):
    """The phases of a search.

    Args:
        once: each of them, in order.
        repeat: how often that is done.
    """

    once: tuple[Phase, ...] = ()
    repeat: int = 1

    @property
    def all(self) -> tuple[Phase, ...]:
        """Every phase, as often as it comes."""
        return self.once * self.repeat

    @property
    def trials(self) -> int:
        """Of all phases together."""
        return sum(phase.trials for phase in self.all)

    def as_data(self) -> list[dict[str, Any]]:
        """A list that reads back to these."""
        phases: list[dict[str, Any]] = [
            {"decide": list(p.decide), "trials": p.trials} for p in self.once
        ]
        return phases + [{"repeat": self.repeat}] * (self.repeat > 1)

    def __str__(self) -> str:
        """As it stands in the name of a study: `accelerator=50,model+optimizer.lr=50,x10`."""
        parts = [f"{'+'.join(p.decide)}={p.trials}" for p in self.once]
        return ",".join(parts + [f"x{self.repeat}"] * (self.repeat > 1))


def resting(space: Space, phases: Phases) -> str:
    """What no phase decides, in a line; empty when every decision is in one."""
    left = never(space, opened(space, phases.once)) if phases.once else []
    if not left:
        return ""
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return f"in no phase, so as in the static program: {', '.join(left[:_SHOWN])}{more}"


def read_phases(node: Node, problems: Problems) -> Phases:
    """The phases of a recipe; mistakes are noted."""
    if node.tag == STANDARD + "null":
        return Phases()
    items: Sequence[Node] = node.value if isinstance(node, SequenceNode) else ()
    if not items:
        problems.add(EXPECTED, mark_of(node), "phases")
    once, repeat = [], 1
    for number, item in enumerate(items):
        path = f"phases[{number}]"
        read = _item(item, path, problems)
        if read is None:
            continue
        if "repeat" not in read:
            once.append(Phase(read["decide"], read["trials"], read["mark"]))
        elif not once or number + 1 < len(items):
            problems.add("repeat comes last, after what it repeats", mark_of(item), path)
        else:
            repeat = read["repeat"]
    return Phases(tuple(once), repeat)


def _item(item: Node, path: str, problems: Problems) -> dict[str, Any] | None:
    """A phase, or `{repeat: n}`; None when it is neither, which is noted."""
    if not isinstance(item, MappingNode):
        problems.add(EXPECTED, mark_of(item), path)
        return None
    before, read = len(problems.found), dict[str, Any]()
    for key, value in item.value:
        name, inside = key.value, f"{path}.{key.value}"
        if name not in KEYS:
            hint = did_you_mean(name, KEYS)
            problems.add(f"a phase has no key {name}", mark_of(key), inside, hint)
            continue
        try:
            given = plain(value)
        except AutomlError as error:
            problems.extend(error, mark_of(value), inside)
            continue
        if name == "decide":
            given = [given] if isinstance(given, str) else given
            listed = isinstance(given, list) and bool(given)
            if not listed or not all(isinstance(each, str) for each in given):
                what = "expected paths of decisions, as in [model, optimizer.lr]"
                problems.add(what, mark_of(value), inside)
                continue
            read |= {"decide": tuple(given), "mark": mark_of(value)}
        elif isinstance(given, bool) or not isinstance(given, int) or given < 1:
            problems.add(f"expected a number from 1 on, got {given!r}", mark_of(value), inside)
        else:
            read[name] = given
    if len(problems.found) > before:
        return None
    if read.keys() not in ({"decide", "mark", "trials"}, {"repeat"}):
        problems.add(EXPECTED, mark_of(item), path)
        return None
    return read
