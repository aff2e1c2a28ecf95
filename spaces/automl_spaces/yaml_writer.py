"""Symbols and plain data to YAML text that reads back to an equal tree."""

from __future__ import annotations

import io
from typing import Any, Final

from yaml.emitter import Emitter
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.serializer import Serializer

from automl_spaces.choices import Choice
from automl_spaces.errors import UserError
from automl_spaces.json_form import name_of
from automl_spaces.symbols import ATOMS, Symbol
from automl_spaces.yaml_reader import STANDARD, CoreResolver

_WIDE: Final = 96


class _Writer(Emitter, Serializer, CoreResolver):
    def __init__(self, stream: io.StringIO) -> None:
        Emitter.__init__(self, stream, width=_WIDE, allow_unicode=True)
        Serializer.__init__(self)
        CoreResolver.__init__(self)


def to_node(value: Any) -> Node:
    """The YAML node of a value."""
    if isinstance(value, Symbol):
        return _symbol(value)
    if isinstance(value, dict):
        pairs = [(to_node(k), to_node(v)) for k, v in value.items()]
        flow = all(isinstance(v, ATOMS) for v in value.values()) and _short(value)
        return MappingNode(STANDARD + "map", pairs, flow_style=flow)
    if isinstance(value, list | tuple):
        items = [to_node(v) for v in value]
        flow = all(isinstance(v, ATOMS) for v in value) or _short(value)
        return SequenceNode(STANDARD + "seq", items, flow_style=flow)
    if value is None:
        return ScalarNode(STANDARD + "null", "null")
    if isinstance(value, bool):
        return ScalarNode(STANDARD + "bool", str(value).lower())
    if isinstance(value, int):
        return ScalarNode(STANDARD + "int", str(value))
    if isinstance(value, float):
        return ScalarNode(STANDARD + "float", _float(value))
    if isinstance(value, str):
        style = "|" if "\n" in value.strip("\n") and value.endswith("\n") else None
        if not value.replace("\n", "").isprintable():
            style = '"'  # other line breaks and controls survive as escapes only
        return ScalarNode(STANDARD + "str", value, style=style)
    raise UserError(f"a {type(value).__name__} cannot be written as YAML")


def _float(value: float) -> str:
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    return text


def _symbol(node: Symbol) -> Node:
    tag = "!" + name_of(node.type).replace(":", ".")
    args = dict(node.args)
    if isinstance(node, Choice):  # an unused option of a choice is noise
        args = {k: v for k, v in args.items() if k == "default" or v != node.type.default(k)}
    if isinstance(node, Choice) and list(args) == ["candidates"] and len(args["candidates"]) > 0:
        return SequenceNode(tag, list(map(to_node, args["candidates"])), flow_style=_short(node))
    if isinstance(node, Choice) and "labels" in args:
        labels = args.pop("labels")
        args["candidates"] = dict(zip(labels, args["candidates"], strict=True))
    pairs = [(to_node(k), to_node(v)) for k, v in args.items()]
    return MappingNode(tag, pairs, flow_style=not pairs or _short(node))


def _short(value: Any) -> bool:
    """Whether a value reads well on one line: nothing deep in it and nothing long."""
    if isinstance(value, Symbol):
        inside = list(value.args.values())
    elif isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list | tuple):
        inside = list(value)
    else:
        return not (isinstance(value, str) and "\n" in value)
    return all(map(_short, inside)) and len(repr(value)) < _WIDE - 20


def dump(value: Any) -> str:
    """YAML text of a value: program, space, recipe or plain data."""
    stream = io.StringIO()
    writer = _Writer(stream)
    writer.open()
    node = to_node(value)
    if isinstance(node, MappingNode) and node.value:
        node.flow_style = False  # the outermost mapping is a document: one key a line
    writer.serialize(node)
    writer.close()
    text = stream.getvalue()
    return text[: -len("...\n")] if text.endswith("\n...\n") else text
