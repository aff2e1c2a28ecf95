"""Overlays: pure functions from a program to a program with choices in it.

A rule says where (`at`: a path pattern, or every node of a class) and what:
`replace` puts a value there, `set` gives arguments to the node there, `append`, `prepend` and
`delete` change a list. In the value `$self` is what stands there and `$self.name` a part of it.
A choice remembers the value that it replaces, so that the static program stays in the space.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl_spaces.choices import CHOICES, Choice
from automl_spaces.errors import AutomlError, Mark, Problems, UserError, did_you_mean
from automl_spaces.lookups import lookup
from automl_spaces.paths import Path, Wild, format_path, parse_path
from automl_spaces.registry import resolve
from automl_spaces.symbols import Symbol, adopt, clone
from automl_spaces.traversal import MISSING, argument, find, nearest_paths_hint, replace, walk
from automl_spaces.yaml_reader import STANDARD, mark_of, plain, scalar_value
from automl_spaces.yaml_values import Reader

ACTIONS: Final = ("replace", "set", "append", "prepend", "delete")


class Rule(NamedTuple):
    """One rule of an overlay: where, and what to do there."""

    at: Node
    action: str
    value: Node
    imports: tuple[str, ...]


def read_rules(node: Node, imports: Iterable[str], problems: Problems) -> list[Rule]:
    """The rules of an overlay: a list of them, or a mapping with `rules` and `imports`."""
    imports = tuple(imports)
    if isinstance(node, MappingNode) and node.tag == STANDARD + "map":
        keys = {k.value: (k, v) for k, v in node.value}
        if "at" in keys:
            return _rules([node], imports, problems)
        for name, (key, _) in keys.items():
            if name not in ("rules", "imports", "doc"):
                problems.add(
                    f"an overlay has no key {name}",
                    mark_of(key),
                    hint=did_you_mean(name, ("rules", "imports", "doc", "at")),
                )
        if "imports" in keys:
            imports += _modules(keys["imports"][1])
        if "rules" not in keys:
            problems.add("an overlay without rules", mark_of(node))
            return []
        node = keys["rules"][1]
    if not isinstance(node, SequenceNode):
        problems.add("an overlay is a list of rules: - at: ...", mark_of(node))
        return []
    return _rules(node.value, imports, problems)


def _modules(node: Node) -> tuple[str, ...]:
    names = plain(node)
    if not isinstance(names, list):
        raise UserError("imports is a list of modules: [torch.nn]", mark_of(node))
    return tuple(map(str, names))


def _rules(nodes: list[Node], imports: tuple[str, ...], problems: Problems) -> list[Rule]:
    rules = []
    for node in nodes:
        if not isinstance(node, MappingNode):
            problems.add("a rule is a mapping: at: ..., replace: ...", mark_of(node))
            continue
        keys = {k.value: (k, v) for k, v in node.value}
        actions = [name for name in keys if name in ACTIONS]
        for name, (key, _) in keys.items():
            if name not in (*ACTIONS, "at", "doc"):
                hint = did_you_mean(name, (*ACTIONS, "at"))
                problems.add(f"a rule has no key {name}", mark_of(key), hint=hint)
        if "at" not in keys or len(actions) != 1:
            problems.add(
                f"a rule needs `at` and one of {', '.join(ACTIONS)}; found "
                + (", ".join(keys) or "nothing"),
                mark_of(node),
            )
            continue
        rules.append(Rule(keys["at"][1], actions[0], keys[actions[0]][1], imports))
    return rules


def apply(program: Symbol, rules: Iterable[Rule], problems: Problems) -> Symbol:
    """The program with the rules applied in order; the given one is left as it is."""
    result = clone(program)
    for rule in rules:
        try:
            result = _apply(result, rule, problems)
        except AutomlError as error:
            problems.extend(error, mark_of(rule.at))
    return result  # type: ignore[no-any-return]


def _places(program: Any, rule: Rule) -> list[Path]:
    """Where a rule applies: inner places before outer ones, later ones before earlier ones.

    So an edit never moves a place that is still to be edited.
    """
    at = rule.at
    if not at.tag.startswith(STANDARD):
        name = at.tag.removeprefix("!")
        kind = CHOICES.get(name) or resolve(name, rule.imports)
        if at.value:
            raise UserError(f"`at: {at.tag}` means every {kind.name}: it takes no arguments")
        found = [path for path, _ in find(program, kind)]
        what = f"no {kind.name} in the program"
        classes = {v.type.name for _, v, _ in walk(program) if isinstance(v, Symbol)}
        hint = did_you_mean(kind.name, classes)
    elif isinstance(at, ScalarNode):
        pattern = str(scalar_value(at))
        found = [path for path, _ in find(program, pattern)]
        if not found and rule.action == "replace":
            found = _new_argument(program, parse_path(pattern, pattern=True))
        what = f"{pattern} matches nothing in the program"
        hint = "" if found else nearest_paths_hint(program, pattern)
    else:
        raise UserError("`at` is a path such as model.blocks[*].kernel_size, or a !Class")
    if not found:
        raise UserError(what, mark_of(at), hint=hint)
    found.reverse()
    return sorted(found, key=len, reverse=True)


def _new_argument(program: Any, path: Path) -> list[Path]:
    """A place that an argument could take: a parameter of the node that is not given."""
    if not path or any(isinstance(key, Wild) for key in path):
        return []
    try:
        parent = lookup(program, path[:-1])
    except AutomlError:
        return []
    if not isinstance(parent, Symbol):
        return []
    signature = parent.type.signature
    takes = path[-1] in signature.params or (signature.var_keyword and isinstance(path[-1], str))
    return [path] if takes else []


def _apply(program: Any, rule: Rule, problems: Problems) -> Any:
    for path in _places(program, rule):
        if rule.action == "delete":
            program = _delete(program, path, rule.value)
            continue
        old = _value_at(program, path)
        reader = Reader(rule.imports, problems, self_value=old)
        if rule.action == "set":
            _set(program, path, old, rule.value, reader)
            continue
        before = problems.noted
        new = reader.read(rule.value)
        if problems.noted > before:
            continue
        if rule.action == "replace":
            new = remember(new, old)
        elif isinstance(old, list | tuple):
            new = [*old, new] if rule.action == "append" else [new, *old]
        else:
            raise UserError(f"{format_path(path)} is {old!r}, not a list", mark_of(rule.at))
        program = _put(program, path, new, mark_of(rule.value))
    return program


def _value_at(program: Any, path: Path) -> Any:
    try:
        return lookup(program, path)
    except AutomlError:
        return MISSING


def _put(program: Any, path: Path, value: Any, mark: Mark) -> Any:
    try:
        return replace(program, path, value)
    except AutomlError as error:
        first = error.problems[0]
        raise UserError(first.message, mark, path=format_path(path), hint=first.hint) from None


def _set(program: Any, path: Path, old: Any, values: Node, reader: Reader) -> None:
    if not isinstance(values, MappingNode) or not isinstance(old, Symbol):
        where = format_path(path) or "the program"
        raise UserError(f"`set` gives arguments to a node: {where} is {old!r}", mark_of(values))
    problems = reader.problems
    for key, node in values.value:
        name, before = str(key.value), problems.noted
        new = reader.read(node)
        if problems.noted > before:
            continue
        remember(new, argument(old, name))
        old.type.check_argument(name, new, problems, mark_of(key))
        if problems.noted == before:
            replace(program, (*path, name), new)


def _delete(program: Any, path: Path, value: Node) -> Any:
    if not (isinstance(value, ScalarNode) and scalar_value(value) is True):
        raise UserError("write `delete: true`; `at` says what", mark_of(value))
    owner = lookup(program, path[:-1]) if path else None
    key = path[-1] if path else ""
    if isinstance(owner, Symbol):
        problems = Problems()
        rest = {k: v for k, v in owner.args.items() if k != key}
        owner.type.check(rest, problems, owner.mark)
        problems.raise_if_any()
        owner.args.pop(str(key), None)  # what is a default already is not given
        owner.touch()
        return program
    if isinstance(owner, dict):
        left: Any = {k: v for k, v in owner.items() if k != key}
    elif isinstance(owner, list | tuple):
        left = [v for i, v in enumerate(owner) if i != key]
    else:
        raise UserError("cannot delete the whole program")
    return replace(program, path[:-1], left)


def remember(new: Any, old: Any) -> Any:
    """Note in every choice of `new` the value of `old` that it takes the place of."""
    if isinstance(new, Choice):
        if not new.has_default and old is not MISSING:
            inner = isinstance(old, Choice) and old.has_default
            new.args["default"] = adopt(clone(old.args["default"] if inner else old))
            new.touch()
    elif isinstance(new, Symbol) and new.type.made(old):
        for name, value in new.args.items():
            remember(value, argument(old, name))
    elif isinstance(new, list | tuple) and isinstance(old, list | tuple) and len(new) == len(old):
        for a, b in zip(new, old, strict=True):
            remember(a, b)
    elif isinstance(new, dict) and isinstance(old, dict):
        for key, value in new.items():
            remember(value, old.get(key, MISSING))
    return new
