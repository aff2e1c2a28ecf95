"""What tags mean: nodes of a YAML tree to symbols, choices and plain values.

`!Name {argument: value}`, `!Name [positional, arguments]`, `!Name one_argument` or just `!Name`.
`!oneof [a, b]` and `!permutate [a, b]` take their candidates directly, `!floatv [min, max, scale]`
and `!intv [min, max]` their range. A value used through an alias is a copy of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl_spaces.choices import CHOICES, ChoiceType
from automl_spaces.errors import AutomlError, Mark, PathError, Problems, UserError, nearest
from automl_spaces.lookups import lookup
from automl_spaces.paths import parse_path
from automl_spaces.registry import resolve
from automl_spaces.symbols import SymbolType, adopt, clone
from automl_spaces.traversal import MISSING
from automl_spaces.yaml_reader import STANDARD, compose, mark_of, scalar_value, shown_tag

NOTHING = object()


class Reader:
    """Reads values out of YAML nodes, noting every mistake and going on.

    Args:
        imports: the modules that a tag may name.
        problems: where mistakes are noted; a value that could not be read comes as None.
        self_value: what `$self` stands for, in an overlay.
    """

    def __init__(
        self, imports: Iterable[str], problems: Problems, self_value: Any = NOTHING
    ) -> None:
        self.imports, self.problems, self.self_value = tuple(imports), problems, self_value

    def read(self, node: Node) -> Any:
        """The value of a node."""
        try:
            if node.tag.startswith(STANDARD):
                return self._untagged(node)
            return self._tagged(node)
        except AutomlError as error:
            self.problems.extend(error, mark_of(node))
            return None

    def _untagged(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            value = scalar_value(node)
            if isinstance(value, str) and self.self_value is not NOTHING:
                return self._self(value)
            return value
        if node.tag == STANDARD + "seq":
            return [adopt(self.read(item)) for item in node.value]
        if node.tag == STANDARD + "map":
            return {self._key(key): adopt(self.read(value)) for key, value in node.value}
        raise UserError(f"the tag {shown_tag(node.tag)} is not allowed", mark_of(node))

    def _key(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            raise UserError("a key must be a plain value", mark_of(node))
        return scalar_value(node)

    def _self(self, text: str) -> Any:
        if self.self_value is MISSING and re.match(r"\$self(?![\w-])", text):
            raise UserError(f"{text}: nothing stands here yet")
        if text == "$self":
            return clone(self.self_value)
        if text.startswith(("$self.", "$self[")):
            try:
                return clone(lookup(self.self_value, parse_path(text[5:].removeprefix("."))))
            except PathError as error:
                raise PathError(f"{text}: {error.problems[0].message}",
                                hint=error.problems[0].hint) from None  # fmt: skip
        return text

    def _type(self, node: Node) -> SymbolType:
        name = node.tag.removeprefix("!")
        if name in CHOICES:
            return CHOICES[name]
        try:
            return resolve(name, self.imports)
        except UserError as error:
            problem = error.problems[0]
            choice = nearest(name, CHOICES) if problem.message.startswith("unknown") else None
            meant = not problem.hint.startswith("did you mean") and choice is not None
            hint = f"did you mean {choice}?" if meant else problem.hint
            raise UserError(problem.message, mark_of(node), hint=hint) from None

    def _tagged(self, node: Node) -> Any:
        kind, mark = self._type(node), mark_of(node)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        before = self.problems.noted
        if isinstance(node, MappingNode):
            kwargs = {str(self._key(k)): self.read(v) for k, v in node.value}
            marks = {str(k.value): mark_of(k) for k, _ in node.value}
        elif isinstance(node, SequenceNode):
            args = [self.read(item) for item in node.value]
            if isinstance(kind, ChoiceType) and kind.positional_is:
                args, kwargs = [], {kind.positional_is: args}
        elif node.value or getattr(node, "style", None):
            args = [self._untagged(_without_tag(node))]
        if isinstance(kind, ChoiceType) and isinstance(kwargs.get("candidates"), dict):
            labelled = kwargs["candidates"]
            kwargs["candidates"] = list(labelled.values())
            kwargs["labels"] = [str(k) for k in labelled]
        problems = self.problems if self.problems.noted == before else Problems()
        bound = kind.bind(tuple(args), kwargs, problems, mark, marks)
        return kind.make({k: adopt(v) for k, v in bound.items()}, mark)


def _without_tag(node: Node) -> Node:
    from automl_spaces.yaml_reader import CoreResolver

    plain = not getattr(node, "style", None)
    tag = CoreResolver().resolve(ScalarNode, node.value, (plain, not plain))  # type: ignore[no-untyped-call]
    return ScalarNode(tag, node.value, node.start_mark)


def from_yaml(text: str, imports: Iterable[str] = (), file: str = "<text>") -> Any:
    """Read a program, a space or plain data from YAML text.

    Raises:
        UserError: every mistake of the text, with line and column.
    """
    problems = Problems()
    node = compose(text, file)
    value = None if node is None else Reader(imports, problems).read(node)
    problems.raise_if_any()
    return value
