"""The catalogue of algorithms: found by looking at files, imported only when one is used.

A module of `multi_trial/` or `weight_sharing/` whose text carries `@algorithm` is an algorithm,
named as its file is. Another package adds its own through an entry point:

    [project.entry-points."automl.algorithms"]
    my_search = "my_package.my_search:MySearch"
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from automl_algorithms.contract import SHARING, Capabilities
from automl_spaces.errors import Mark, Problems, UserError, did_you_mean
from automl_spaces.signatures import Signature, from_callable, from_source

FAMILIES: Final = ("multi_trial", "weight_sharing")
ENTRY_POINTS: Final = "automl.algorithms"
_MARKED = re.compile(r"^@algorithm\b[^\n]*\n(?:@[^\n]*\n)*class (\w+)", re.MULTILINE)


class Entry(NamedTuple):
    """Where an algorithm lives. `family` is the folder it stands in, or `plugin`."""

    name: str
    family: str
    module: str
    qualname: str
    source: Path | None


@cache
def _shipped() -> dict[str, Entry]:
    """The algorithms of this package, from their text: about 0.1 ms a file, nothing imported."""
    folder = Path(__file__).parent
    files = ((f, path) for f in FAMILIES for path in sorted((folder / f).glob("[!_]*.py")))
    return {path.stem: found for f, path in files if (found := _read(f, path.stem)) is not None}


@cache
def _read(family: str, name: str) -> Entry | None:
    """The algorithm in one file of a family, if there is one."""
    path = Path(__file__).parent / family / f"{name}.py"
    named = name.isidentifier() and not name.startswith("_") and path.is_file()
    text = path.read_text(encoding="utf-8") if named else ""
    marked = "@algorithm" in text and _MARKED.search(text)
    module = f"{__package__}.{family}.{name}"
    return Entry(name, family, module, marked[1], path) if marked else None


@cache
def _plugins() -> dict[str, Entry]:
    """The algorithms of other packages; reading every installed package's metadata takes ms."""
    from importlib.metadata import entry_points

    return {
        e.name: Entry(e.name, "plugin", e.module, e.attr, None)
        for e in entry_points(group=ENTRY_POINTS)
    }


def entries() -> Iterator[Entry]:
    """Every algorithm: those of this package first, then those of others."""
    shipped = _shipped()
    yield from shipped.values()
    yield from (e for e in _plugins().values() if e.name not in shipped)


def names(family: str | None = None) -> list[str]:
    """Names of the algorithms of one family (`multi_trial`, `weight_sharing`, `plugin`) or all."""
    if family in FAMILIES:
        return [e.name for e in _shipped().values() if e.family == family]
    return [e.name for e in entries() if family in (None, e.family)]


def entry(name: str, mark: Mark | None = None) -> Entry:
    """Where the algorithm `name` lives; `UserError` with the nearest name when there is none."""
    found = next(filter(None, (_read(f, name) for f in FAMILIES)), None) or _plugins().get(name)
    if found is None:
        hint = did_you_mean(name, names())
        raise UserError(f"there is no algorithm {name}", mark, path="algorithm", hint=hint)
    return found


def load(name: str) -> Any:
    """Import the class of an algorithm; `UserError` when it is unknown or cannot be imported."""
    found = entry(name)
    try:
        target = importlib.import_module(found.module)
    except ImportError as error:
        missing = getattr(error, "name", None)
        hint = f"install {missing}" if missing else ""
        raise UserError(f"{name} cannot be imported: {error}", hint=hint) from error
    return getattr(target, found.qualname)


def signature(name: str) -> Signature:
    """The options of an algorithm, from the text of its module; nothing is imported."""
    found = entry(name)
    if found.source is None:
        return from_callable(load(name))
    return from_source(found.source.read_text(encoding="utf-8"), found.qualname) or Signature([])


def capabilities(name: str) -> Capabilities:
    """What an algorithm can search, unless its options narrow that.

    Those of weight sharing are read from the text of their module, so that torch, which they
    import, need not be waited for.
    """
    found = entry(name)
    if found.family != "weight_sharing" or found.source is None:
        known: Capabilities = load(name).capabilities
        return known
    import ast  # 5 ms, and only a few recipes need it

    for node in ast.walk(ast.parse(found.source.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign([ast.Name("capabilities")], ast.Call(ast.Name("Capabilities")) as call):
                told = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
                return Capabilities(**told)
    return SHARING


def accepts(name: str) -> frozenset[str]:
    """The kinds of decisions that an algorithm searches, of `contract.DECISIONS`.

    Whoever searches by trials says so by its capabilities. Those of weight sharing declare it,
    `accepts: ClassVar[frozenset[str]]`, and are read as text, their base classes after them.
    """
    found = entry(name)
    if found.family == "weight_sharing" and found.source is not None:
        return _declared(found.source, found.qualname)
    kinds: frozenset[str] | None = getattr(load(name), "accepts", None)
    return capabilities(name).accepts if kinds is None else kinds


@cache
def _declared(path: Path, qualname: str) -> frozenset[str]:
    """What a class accepts, or the first of its bases that says so, from their modules' texts."""
    import ast

    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in classes[qualname].body:
        match node:
            case ast.AnnAssign(ast.Name("accepts"), value=ast.Call(args=[kinds])):
                return frozenset(ast.literal_eval(kinds))
    root = Path(__file__).parent.parent
    homes = {
        alias.name: root.joinpath(*node.module.split(".")).with_suffix(".py")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for base in classes[qualname].bases:
        if isinstance(base, ast.Name):
            home = path if base.id in classes else homes.get(base.id)
            if home is not None and home.is_file():
                return _declared(home, base.id)
    raise LookupError(f"{path.stem} does not say which decisions it accepts")


def summary(name: str) -> str:
    """The first line of an algorithm's documentation, from its text."""
    found = entry(name)
    if found.source is None:
        return (load(name).__doc__ or "").strip().partition("\n")[0]
    text = found.source.read_text(encoding="utf-8")
    return text.removeprefix('"""').partition("\n")[0].removesuffix('"""')


def check_options(
    name: str,
    options: Mapping[str, Any],
    mark: Mark | None = None,
    marks: Mapping[str, Mark] | None = None,
) -> None:
    """Raise `UserError` for every unknown, missing or ill-typed option, all at once.

    Args:
        name: of the algorithm.
        options: as the recipe gives them.
        mark: where the algorithm is named.
        marks: where each option is written.
    """
    problems, marks, known = Problems(), marks or {}, signature(name)
    for key, value in options.items():
        place, path = marks.get(key, mark), f"algorithm.{key}"
        param = known.params.get(key)
        if param is None:
            if not known.var_keyword:
                hint = did_you_mean(key, known.params) or "it takes no options"
                problems.add(f"{name} has no option {key}", place, path, hint)
        elif param.hint is not None and value != param.default and not param.hint.fits(value):
            problems.add(f"expected {param.hint.text}, got {value!r}", place, path)
    for key in known.required:
        if key not in options:
            problems.add(f"{name} needs the option {key}", mark, "algorithm")
    problems.raise_if_any()


def create(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """An instance of an algorithm with its options checked; `UserError` for what is wrong."""
    options = options or {}
    check_options(name, options)
    return load(name)(**options)
