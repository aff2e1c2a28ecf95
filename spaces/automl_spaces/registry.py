"""The names that recipes and records may use, and the only way from a name to a callable.

A name is one of
- a registered short name (`MobileNetV2`), from `@register` or from a scanned package;
- `module.Name` or `module:Name`, where the module is on the caller's list of `imports`;
- the bare `Name` of a member of one of these modules.
Nothing else is imported, and what is found is checked to belong to the listed module, so that
`logging.os.system` is refused even when `logging` is listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, overload

from automl_spaces.errors import UserError, did_you_mean, nearest
from automl_spaces.symbols import SymbolType
from automl_spaces.targets import import_module

T = TypeVar("T", bound=Callable[..., Any])

_types: dict[str, SymbolType] = {}
_loose: set[str] = set()  # short names that `symbolize` took, and that `register` may claim
_DECORATED = re.compile(
    r"^@register(?:\(\s*(?:name\s*=\s*)?[\"'](?P<alias>[^\"']+)[\"']\s*\)|\(\s*\))?[^\n]*\n"
    r"(?:@[^\n]*\n)*(?P<what>class|def) (?P<name>\w+)",
    re.MULTILINE,
)


def _add(type: SymbolType) -> SymbolType:
    known = _types.get(type.name)
    if known is not None and known.name in _loose and known.home != type.home:
        known.name = f"{known.module}:{known.qualname}"  # a short name was only lent to it
        _types[known.name] = known
    elif known is not None and known.home != type.home:
        raise UserError(
            f"{type.name} names both {known.module}:{known.qualname} and "
            f"{type.module}:{type.qualname}",
            hint=f"register one under another name: @register('my_{type.name}')",
        )
    _types[type.name] = type
    _loose.discard(type.name)
    return type


@overload
def register(target: T, /) -> T: ...
@overload
def register(target: str | None = None, /, *, name: str | None = None) -> Callable[[T], T]: ...
def register(target: Any = None, /, *, name: str | None = None) -> Any:
    """Make a class or function nameable in recipes, and return it unchanged."""
    if target is None or isinstance(target, str):
        alias = target or name

        def decorate(inner: T) -> T:
            _add(_type_of(inner, alias))
            return inner

        return decorate
    _add(_type_of(target, name))
    return target


def _type_of(target: Any, name: str | None) -> SymbolType:
    if isinstance(target, SymbolType):
        return target
    if not callable(target) or not hasattr(target, "__qualname__"):
        raise UserError(
            f"cannot symbolise {target!r}: a {type(target).__name__} is no class or function"
        )
    return SymbolType(
        name or target.__name__, target.__module__, target.__qualname__, target=target
    )


def symbolize(target: Any, name: str | None = None) -> SymbolType:
    """Wrap a class or function, yours or a library's, into a `SymbolType`.

    As a decorator it makes the name itself symbolic: calls then make nodes and not objects. A
    class of somebody else's is wrapped and not touched: `Conv2d = symbolize(torch.nn.Conv2d)`.
    """
    made = _type_of(target, name)
    known = _types.get(made.name)
    if known is not None and known.home != made.home:
        made.name = f"{made.module}:{made.qualname}"  # the short name is somebody else's
    elif known is None:
        _loose.add(made.name)
    _types[made.name] = made
    return made


def scan(folder: Path, package: str) -> None:
    """Learn the names that a package's modules `@register`, from their text: nothing is imported.

    A name that would hide another one is an error when it is used, as two `@register` are.
    """
    for file in sorted(folder.glob("*.py")):
        text = file.read_bytes()
        if b"@register" not in text:
            continue
        for found in _DECORATED.finditer(text.decode()):
            _add(
                SymbolType(
                    found["alias"] or found["name"],
                    f"{package}.{file.stem}",
                    found["name"],
                    source=str(file),
                    is_class=found["what"] == "class",
                )
            )


def names() -> list[str]:
    """Every registered short name."""
    return sorted(_types)


def registered(name: str) -> SymbolType | None:
    """The type of a registered short name."""
    return _types.get(name)


def resolve(name: str, imports: Iterable[str] = ()) -> SymbolType:
    """The type that a name stands for, given the modules that may be imported.

    Raises:
        UserError: an unknown name (with the nearest known one), or a module that is not listed.
    """
    found = _types.get(name)
    if found is not None:
        return found
    allowed = list(imports)
    dotted = name.replace(":", ".")
    for module in sorted(allowed, key=len, reverse=True):
        if dotted.startswith(module + "."):
            return _member(module, dotted[len(module) + 1 :])
    if "." not in dotted:
        for module in allowed:
            found = _member_or_none(module, name)
            if found is not None:
                return found
        raise UserError(f"unknown symbol {name}", hint=did_you_mean(name, _known(allowed)))
    module = dotted.rpartition(".")[0]
    if dotted.rpartition(".")[2] in _types and module == _types[dotted.rpartition(".")[2]].module:
        return _types[dotted.rpartition(".")[2]]
    hint = f"add it: imports: [{', '.join([*allowed, module])}]"
    close = nearest(module, allowed)
    if close:
        hint = f"did you mean {close}?"
    raise UserError(f"{name}: the module {module} is not listed under imports", hint=hint)


def _known(allowed: list[str]) -> list[str]:
    known = names()
    for module in allowed:
        known += [n for n in vars(import_module(module)) if not n.startswith("_")]
    return known


def _member_or_none(module: str, qualname: str) -> SymbolType | None:
    owner = import_module(module)
    target: Any = owner
    for part in qualname.split("."):
        inside = isinstance(target, type) or target is owner
        if part.startswith("_") or not inside or not hasattr(target, part):
            return None
        target = getattr(target, part)
    if isinstance(target, SymbolType):
        return target
    if not callable(target):
        return None
    home = getattr(target, "__module__", None) or module
    listed = qualname.partition(".")[0] in getattr(owner, "__all__", ())
    if home.partition(".")[0] != module.partition(".")[0] and not listed:
        return None  # merely imported there, as `os` is in `logging`
    known = _types.get(getattr(target, "__name__", ""))
    if known is not None and known.home == (home, getattr(target, "__qualname__", "")):
        return known  # a module that @registers: one type, one name
    return SymbolType(f"{module}:{qualname}", module, qualname, target=target)


def _member(module: str, qualname: str) -> SymbolType:
    found = _member_or_none(module, qualname)
    if found is None:
        public = [n for n in vars(import_module(module)) if not n.startswith("_")]
        raise UserError(
            f"{module} has no callable {qualname} of its own",
            hint=did_you_mean(qualname, public),
        )
    return found
