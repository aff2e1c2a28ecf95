"""What a callable may be given: read from its source text, or from the imported object.

Reading the text costs a fraction of a millisecond and imports nothing, so `automl show` can
check a recipe of PyTorch programs without PyTorch. Only what the text does not tell (an
inherited constructor, an alias, a builtin) is asked of the imported object.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final, NamedTuple

from automl_spaces.annotations import Hint, hint_of, read_hint
from automl_spaces.errors import UserError


class _Opaque:
    """Stands for a default that exists and is not a literal."""

    def __repr__(self) -> str:
        return "..."


REQUIRED: Final = _Opaque()
OPAQUE: Final = _Opaque()


class Param(NamedTuple):
    """One parameter: its name, its default (`REQUIRED`, `OPAQUE` or a literal), its type hint.

    `positional` and `by_name` say how the callable takes it; in a tree it always has its name.
    """

    name: str
    default: Any = REQUIRED
    hint: Hint | None = None
    positional: bool = True
    by_name: bool = True


class Signature:
    """The parameters of a callable, without `self`.

    Attributes:
        params: by name, in order.
        var_positional: name of `*args`, or None.
        var_keyword: whether `**kwargs` takes any further name.
        in_order: the parameters that a call must give by position, if it gives them.
    """

    __slots__ = ("in_order", "params", "required", "var_keyword", "var_positional")

    def __init__(
        self, params: list[Param], *, var_positional: str | None = None, var_keyword: bool = False
    ) -> None:
        self.params = {p.name: p for p in params}
        self.required = [p.name for p in params if p.default is REQUIRED]
        self.var_positional = var_positional
        self.var_keyword = var_keyword
        before_rest = var_positional is not None
        self.in_order = [p for p in params if p.positional and (before_rest or not p.by_name)]

    def arrange(self, args: dict[str, Any]) -> list[Any]:
        """Take out of `args` what must be given by position, in order; defaults fill gaps.

        Raises:
            UserError: a gap whose default is not a literal.
        """
        rest = args.pop(self.var_positional, ()) if self.var_positional else ()
        ordered = [p for p in self.in_order if not p.by_name or rest]
        last = max((i for i, p in enumerate(ordered) if rest or p.name in args), default=-1)
        placed = [args.pop(p.name, p.default) for p in ordered[: last + 1]]
        for param, value in zip(ordered, placed, strict=False):
            if value is REQUIRED or value is OPAQUE:
                raise UserError(f"{param.name} must be given, because what follows it is")
        return [*placed, *rest]

    def __repr__(self) -> str:
        return f"Signature({', '.join(self.params)})"


_DEFINITION = re.compile(r"^(class|(?:async )?def) (\w+)", re.MULTILINE)
_CONSTRUCTOR = ("    def __init__(", "\tdef __init__(")
ANYTHING: Final = Signature([], var_positional="args", var_keyword=True)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return OPAQUE


def _from_arguments(args: ast.arguments, *, skip_first: bool) -> Signature:
    positional = args.posonlyargs + args.args
    missing = [REQUIRED] * (len(positional) - len(args.defaults))
    pairs = list(zip(positional, missing + [_literal(d) for d in args.defaults], strict=True))
    named = len(args.posonlyargs)
    params = [
        Param(a.arg, d, _hint(a), by_name=i >= named)
        for i, (a, d) in enumerate(pairs)
        if i >= skip_first
    ]
    for a, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        value = REQUIRED if default is None else _literal(default)
        params.append(Param(a.arg, value, _hint(a), positional=False))
    return Signature(
        params,
        var_positional=args.vararg.arg if args.vararg else None,
        var_keyword=args.kwarg is not None,
    )


def _hint(arg: ast.arg) -> Hint | None:
    return hint_of(arg.annotation)


def _header(lines: list[str], start: int) -> ast.FunctionDef | None:
    """Parse the head of the function that begins on a line, and not its body."""
    for end in range(start, min(start + 80, len(lines))):
        code = lines[end].partition("#")[0].rstrip()
        if not code.endswith((":", "...", "pass")):
            continue
        head = "\n".join(lines[start : end + 1])
        body = " pass" if code.endswith(":") else ""
        try:
            tree = ast.parse(f"class _:\n{head}{body}" if head[0] in " \t" else head + body)
        except SyntaxError:
            continue
        node = tree.body[0]
        if isinstance(node, ast.ClassDef):  # around a method, which stands indented
            node = node.body[0]
        return node if isinstance(node, ast.FunctionDef) else None
    return None


def _dataclass_fields(body: str) -> Signature | None:
    try:
        node = ast.parse(body).body[0]
    except SyntaxError:
        return None
    if not isinstance(node, ast.ClassDef) or node.bases:
        return None
    params = []
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if "ClassVar" in body and "ClassVar" in ast.unparse(item.annotation):
                continue
            if isinstance(item.value, ast.Call) and any(
                k.arg == "init" for k in item.value.keywords
            ):
                continue
            default = REQUIRED if item.value is None else _literal(item.value)
            params.append(Param(item.target.id, default, hint_of(item.annotation)))
    return Signature(params)


def from_source(text: str, name: str) -> Signature | None:
    """The signature of a top-level function or class, from the text of its module.

    None when the text does not tell: the constructor is inherited, generated or aliased.
    """
    definitions = [found for found in _DEFINITION.finditer(text) if found[2] == name]
    if not definitions:
        return None
    lines, found = text.splitlines(), definitions[-1]  # the last one counts
    start = text.count("\n", 0, found.start())
    if found[1] != "class":
        node = _header(lines, start)
        return _from_arguments(node.args, skip_first=False) if node else None
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " \t)#"):
        if lines[end].startswith(_CONSTRUCTOR):
            node = _header(lines, end)
            return _from_arguments(node.args, skip_first=True) if node else None
        end += 1
    top = start
    while top and lines[top - 1][:1] in ("@", " ", "\t", ")"):
        top -= 1
    decorators = "\n".join(lines[top:start])
    if re.search(r"^@(dataclasses\.)?dataclass\b", decorators, re.MULTILINE):
        return _dataclass_fields("\n".join(lines[start:end]))
    return None


def from_callable(target: Any) -> Signature:
    """The signature of an imported class or function; `ANYTHING` when it has none."""
    import inspect

    try:
        found = inspect.signature(target)
    except (TypeError, ValueError):
        return ANYTHING
    params, var_positional, var_keyword = [], None, False
    for p in found.parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            var_positional = p.name
        elif p.kind is p.VAR_KEYWORD:
            var_keyword = True
        else:
            default = REQUIRED if p.default is p.empty else p.default
            if not isinstance(default, _Opaque | bool | int | float | str | tuple | type(None)):
                default = OPAQUE
            text = p.annotation if isinstance(p.annotation, str) else ""
            if p.annotation is not p.empty and not text:
                text = inspect.formatannotation(p.annotation)
            positional, by_name = p.kind is not p.KEYWORD_ONLY, p.kind is not p.POSITIONAL_ONLY
            params.append(Param(p.name, default, read_hint(text), positional, by_name))
    return Signature(params, var_positional=var_positional, var_keyword=var_keyword)
