"""The section `constraints:` of a recipe, read and written.

madds: {max: 3.0e+8}                                        a bound: what is outside never runs
latency_ms: <= 0.3                                          the same in words; 0.2 .. 0.3, 1 ..
energy_mj: {max: 0.5, reward: soft, weight: -0.07}          what is outside runs, for less
params: null                                                what an extended recipe bounds is free
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode

from automl_algorithms.constraints import WEIGHTS, Constraint
from automl_cli import costs
from automl_spaces.errors import Problems, did_you_mean
from automl_spaces.yaml_reader import STANDARD, mark_of, plain, shown_tag

KEYS: Final = ("min", "max", "reward", "weight")
EXPECTED: Final = "expected <= 0.3, '>= 1', 0.2 .. 0.3, or {min: ..., max: ..., reward: ...}"
_ONE_END = re.compile(r"\s*(?P<sign><=|>=)\s*(?P<end>\S+)\s*")
_RANGE = re.compile(r"\s*(?P<min>\S*?)\s*\.\.\s*(?P<max>\S*)\s*")


def read_constraints(node: Node, problems: Problems) -> dict[str, Constraint]:
    """The constraints of a recipe by the metric that they bound; mistakes are noted.

    A constraint that is a filter needs a cost, which is known before a program runs. One that
    shapes the reward may also bound a metric that the program returns.
    """
    if node.tag == STANDARD + "null":
        return {}
    if not isinstance(node, MappingNode):
        problems.add("expected {cost: <= 0.3}", mark_of(node), "constraints")
        return {}
    found = {}
    for key, value in node.value:
        name, path = key.value, f"constraints.{key.value}"
        if value.tag == STANDARD + "null":
            continue
        mapping = isinstance(value, MappingNode) and value.tag == STANDARD + "map"
        read = _mapping(value, path, problems) if mapping else _words(value, path, problems)
        if read is None:
            continue
        if fault := read.fault():
            problems.add(fault, mark_of(value), path)
        if not read.reward and not costs.exists(name):
            hint = did_you_mean(name, costs.names())
            metric = "one that the program returns needs {..., reward: hard, soft or absolute}"
            problems.add(f"there is no cost {name}", mark_of(key), path,
                         "; ".join(filter(None, (hint, metric))))  # fmt: skip
        found[name] = read
    return found


def _words(node: Node, path: str, problems: Problems) -> Constraint | None:
    """`<= 0.3`, `>= 1`, `0.2 .. 0.3`, `.. 0.3`, `1 ..`."""
    text = str(node.value) if isinstance(node, ScalarNode) else ""
    ends: dict[str, str] = {}
    if one := _ONE_END.fullmatch(text):
        ends = {"max" if one["sign"] == "<=" else "min": one["end"]}
    elif both := _RANGE.fullmatch(text):
        ends = {key: end for key, end in both.groupdict().items() if end}
    read = {key: _number(end) for key, end in ends.items()}
    wrong = [ends[key] for key, number in read.items() if number is None]
    if wrong:
        problems.add(f"expected a number, got {wrong[0]!r}", mark_of(node), path)
    elif not ends:
        hint = _meant(text)
        problems.add(EXPECTED, mark_of(node), path, f"did you mean {hint}?" * bool(hint))
    else:
        return _made(read)
    return None


def _meant(text: str) -> str:
    """A likely spelling: 0.3 and < 0.3 mean <= 0.3, > 1 means >= 1."""
    bare = text.strip().lstrip("<>=").strip()
    if _number(bare) is None:
        return ""
    return f"'>= {bare}'" if ">" in text else f"<= {bare}"


def _mapping(node: MappingNode, path: str, problems: Problems) -> Constraint | None:
    """`{min: ..., max: ..., reward: ..., weight: ...}`."""
    before, reward = len(problems.found), ""
    read: dict[str, float | None] = {}
    for key, value in node.value:
        name, inside = key.value, f"{path}.{key.value}"
        given = plain(value) if isinstance(value, ScalarNode) else shown_tag(value.tag)
        if name not in KEYS:
            hint = did_you_mean(name, KEYS)
            problems.add(f"a constraint has no key {name}", mark_of(key), inside, hint)
        elif name == "reward":
            reward = str(given)
            if reward not in WEIGHTS:
                expected = "expected one of " + ", ".join(WEIGHTS)
                problems.add(expected, mark_of(value), inside, did_you_mean(reward, WEIGHTS))
        else:
            read[name] = None if isinstance(given, str | bool) else _number(given)
            if read[name] is None:
                problems.add(f"expected a number, got {given!r}", mark_of(value), inside)
    if len(problems.found) > before:
        return None
    if not read.keys() & {"min", "max"}:
        problems.add(EXPECTED, mark_of(node), path)
    elif "weight" in read and not reward:
        problems.add("a weight needs a reward: hard, soft or absolute", mark_of(node), path)
    else:
        return _made(read, reward)
    return None


def _made(read: Mapping[str, float | None], reward: Any = "") -> Constraint:
    """A constraint of numbers that are all there."""
    numbers = {key: number for key, number in read.items() if number is not None}
    return Constraint(
        numbers.get("min", -math.inf),
        numbers.get("max", math.inf),
        reward,
        numbers.get("weight", WEIGHTS.get(reward, 0.0)),
    )


def _number(given: Any) -> float | None:
    try:
        number = float(given)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def as_data(constraint: Constraint) -> dict[str, float | str]:
    """A constraint as a mapping that reads back to it."""
    ends = {"min": constraint.low, "max": constraint.high}
    data: dict[str, float | str] = {k: v for k, v in ends.items() if math.isfinite(v)}
    if constraint.reward:
        data |= {"reward": constraint.reward, "weight": constraint.weight}
    return data


def told(constraints: Mapping[str, Constraint]) -> Iterator[str]:
    """Each constraint as a person reads it: `latency_ms <= 0.3, soft reward (weight -0.07)`."""
    for name, c in constraints.items():
        reward = f", {c.reward} reward (weight {c.weight:g})" if c.reward else ""
        yield f"{name} {c}{reward}"
