"""YAML text to nodes that remember where they stand, safely and by the rules of YAML 1.2.

PyYAML's scanner and composer, with three differences: scalars follow the YAML 1.2 core schema
(`1e-3` is a number, `no` is a text, `12:30` is a text), a key written twice is an error, and a
text that unfolds to an unreasonable size through aliases or nesting is refused.
Tags are not acted on here: `yaml_values` decides what they may mean.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import BaseResolver

from automl_spaces.errors import Mark, Problems, UserError

MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 100
MAX_BYTES: Final = 4_000_000

STANDARD: Final = "tag:yaml.org,2002:"
_CORE: Final = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
]


class CoreResolver(BaseResolver):
    """The YAML 1.2 core schema, for reading and for writing."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 - PyYAML's name


for _tag, _pattern, _first in _CORE:
    CoreResolver.add_implicit_resolver(STANDARD + _tag, re.compile(rf"(?:{_pattern})\Z"), _first)

try:
    from yaml._yaml import CParser

    class _Loader(CParser, CoreResolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            CoreResolver.__init__(self)

except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class _Loader(Reader, Scanner, Parser, Composer, CoreResolver):  # type: ignore[no-redef]
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)
            CoreResolver.__init__(self)


def mark_of(node: Node) -> Mark:
    """Where a node begins."""
    start: Any = node.start_mark
    return start if isinstance(start, Mark) else Mark("<text>")


def compose(text: str, file: str) -> Node | None:
    """The node tree of one YAML document; None for an empty one.

    Raises:
        UserError: not YAML, several documents, a key twice, or an unreasonable size; with line
            and column.
    """
    if len(text) > MAX_BYTES:
        raise UserError(f"{len(text):,} bytes are more than a recipe can have", Mark(file))
    loader = None
    try:
        if _may_be_deep(text):
            _check_depth(text, file)
        loader = _Loader(text)
        node: Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file)
        what = " ".join(filter(None, [error.context, error.problem]))
        line = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
        hint = "a text that begins with > stands in quotes: '>= 1'" if ">=" in line else ""
        raise UserError(f"not valid YAML: {what}", where, hint=hint) from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"not valid YAML: {error}", Mark(file)) from None
    except RecursionError:
        raise UserError("nested too deeply", Mark(file)) from None
    finally:
        if loader is not None and hasattr(loader, "dispose"):
            loader.dispose()
    if node is not None:
        problems = Problems()
        _inspect(node, file, problems, {}, set(), 0)
        problems.raise_if_any()
    return node


def _may_be_deep(text: str) -> bool:
    """Whether the text has what it takes to nest deeper than allowed; cheap, and errs to yes."""
    openers = text.count("[") + text.count("{") + text.count("- ") + text.count("? ")
    return openers > MAX_DEPTH or "\n" + " " * MAX_DEPTH in text


def _check_depth(text: str, file: str) -> None:
    """Refuse what nests too deeply before it is composed: libyaml would overflow the C stack."""
    scanner, depth = _Loader(text), 0
    try:
        while scanner.check_event():
            event: Any = scanner.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise _too_deep(file, event.start_mark)
    except yaml.MarkedYAMLError as error:  # since 0.2.6 libyaml has a limit of its own
        if "nesting depth" not in (error.problem or ""):
            raise
        raise _too_deep(file, error.problem_mark or error.context_mark) from None
    finally:
        scanner.dispose()


def _too_deep(file: str, start: Any) -> UserError:
    where = Mark(file, start.line + 1, start.column + 1)
    return UserError(f"nested more than {MAX_DEPTH} deep", where)


def _inspect(
    node: Node,
    file: str,
    problems: Problems,
    sizes: dict[int, int],
    open: set[int],
    depth: int,
) -> int:
    """The number of nodes below, aliases unfolded; notes keys given twice and leaves the file."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in open:
        raise UserError("an alias stands inside of what it names", mark_of(node))
    open.add(id(node))
    start: Any = node.start_mark
    node.start_mark = Mark(file, start.line + 1, start.column + 1)
    if depth > MAX_DEPTH:
        raise UserError(f"nested more than {MAX_DEPTH} deep", mark_of(node))
    size = 1
    if isinstance(node, MappingNode):
        seen: dict[Any, Mark] = {}
        for key, value in node.value:
            size += _inspect(key, file, problems, sizes, open, depth + 1)
            size += _inspect(value, file, problems, sizes, open, depth + 1)
            if not isinstance(key, ScalarNode):
                problems.add("a key must be a plain value", mark_of(key))
                continue
            name, mark = _identity(key), mark_of(key)
            if name in seen:
                first = seen[name].line
                problems.add(f"{key.value}: written twice; first at line {first}", mark)
            seen.setdefault(name, mark)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            size += _inspect(item, file, problems, sizes, open, depth + 1)
    open.discard(id(node))
    if size > MAX_NODES:
        raise UserError(f"unfolds to more than {MAX_NODES:,} values through aliases", mark_of(node))
    sizes[id(node)] = size
    return size


def _identity(key: ScalarNode) -> Any:
    """The same for keys that would be one key of a mapping: `1`, `01` and `1.0` are."""
    try:
        return scalar_value(key)
    except UserError:
        return key.tag, key.value


def compose_file(path: Path, shown: str | None = None) -> Node | None:
    """`compose` on a file; a file that cannot be read is the user's error too."""
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise UserError(f"more than {MAX_BYTES:,} bytes: not a recipe", Mark(name))
        return compose(text.decode(), name)
    except UnicodeDecodeError:
        raise UserError("not a text in UTF-8", Mark(name)) from None
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror or error}", Mark(name)) from None


def scalar_value(node: ScalarNode) -> Any:
    """The Python value of an untagged scalar.

    Raises:
        UserError: a tag that is neither of the core schema nor ours (`!!python/object`, ...).
    """
    tag, text = node.tag, node.value
    kind = tag.removeprefix(STANDARD) if tag.startswith(STANDARD) else tag
    if kind == "str":
        return text
    try:
        if kind == "null" and text in ("", "~", "null", "Null", "NULL"):
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "int":
            return int(text, 0 if text[:2] in ("0x", "0o") else 10)
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise UserError(f"{text[:80]!r} is not a {kind}", mark_of(node)) from None
    if kind in ("null", "bool"):
        raise UserError(f"{text[:80]!r} is not a {kind}", mark_of(node))
    raise UserError(f"the tag {shown_tag(tag)} is not allowed", mark_of(node))


def shown_tag(tag: str) -> str:
    """A tag as it is written."""
    return "!!" + tag.removeprefix(STANDARD) if tag.startswith(STANDARD) else tag


def plain(node: Node) -> Any:
    """Plain data of a node in which tags mean nothing: recipe keys such as `budget`."""
    if isinstance(node, ScalarNode):
        return scalar_value(node)
    if node.tag not in (STANDARD + "map", STANDARD + "seq"):
        raise UserError(f"the tag {shown_tag(node.tag)} has no meaning here", mark_of(node))
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    return {plain(key): plain(value) for key, value in node.value}


def merge(base: Node | None, over: Node) -> Node:
    """`over` laid upon `base`: untagged mappings key by key, all else replaces what was there.

    `{epochs: 2}` over `!Classifier {epochs: 8, ...}` changes the epochs of the classifier;
    `!Classifier {...}` over it replaces it.
    """
    if (
        not isinstance(base, MappingNode)
        or not isinstance(over, MappingNode)
        or over.tag != STANDARD + "map"
    ):
        return over
    keys = {key.value: (key, value) for key, value in base.value}
    for key, value in over.value:
        old = keys.get(key.value)
        keys[key.value] = (key, merge(old[1] if old else None, value))
    return MappingNode(base.tag, list(keys.values()), over.start_mark)
