"""Recipe files: where they are found, how one extends another, how the command line edits them.

All of it happens on YAML nodes that know their file, line and column, so that a mistake is
reported where it was written, however many files lie between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl_spaces.errors import Mark, UserError, did_you_mean
from automl_spaces.paths import Wild, parse_path
from automl_spaces.yaml_reader import STANDARD, compose, compose_file, mark_of, merge, scalar_value

SUFFIXES: Final = (".yaml", ".yml")


@cache
def recipes_root() -> Path:
    """The folder of the recipes that come with automl: in a wheel, or in a checkout."""
    here = Path(__file__).parent
    inside = here / "recipes"
    return inside if inside.is_dir() else here.parent / "recipes"


def shown(path: Path) -> str:
    """A path as a message shows it: relative to the working folder, or to the shipped recipes."""
    for base in (Path.cwd(), recipes_root().parent):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)


def shipped_recipes() -> list[str]:
    """Names of the shipped recipes, such as `mobilenet/s1`."""
    return [n for n in _names(recipes_root()) if not n.startswith("overlays/")]


def shipped_overlays() -> list[str]:
    """Names of the shipped overlays, such as `overlays/mobilenet_s1`."""
    return [n for n in _names(recipes_root()) if n.startswith("overlays/")]


def _names(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root).with_suffix("")) for p in root.rglob("*.yaml"))


def find(name: str, folders: Sequence[Path], what: str, mark: Mark | None = None) -> Path:
    """The file of a recipe or overlay: in one of the folders, else among the shipped ones.

    Raises:
        UserError: with the nearest name, when there is none.
    """
    tried = (name,) if name.endswith(SUFFIXES) else (name, *(name + s for s in SUFFIXES))
    for folder in (*folders, recipes_root()):
        for each in tried:
            path = (folder / each).absolute()
            if path.is_file():
                return path.resolve()
    stem = bare(name)
    near = {stem_of(p) for folder in folders for p in folder.glob("*.yaml")}
    hint = did_you_mean(stem, [*near, *_names(recipes_root())])
    raise UserError(f"there is no {what} {name}", mark, hint=hint)


def bare(name: str) -> str:
    """A recipe's or overlay's name as it was typed, without its suffix."""
    return name.removesuffix(".yaml").removesuffix(".yml")


def stem_of(path: Path) -> str:
    """The name of a recipe file without its suffix."""
    return path.with_suffix("").name


class Loaded(NamedTuple):
    """A recipe with all that it extends, merged.

    Attributes:
        node: the merged mapping.
        files: the files it came from, the recipe itself first.
        folders: where each file's own references are looked up, in the same order.
    """

    node: MappingNode
    files: list[Path]


def load(path: Path, open_files: tuple[Path, ...] = ()) -> Loaded:
    """Read a recipe and all that it extends.

    Raises:
        UserError: a file that cannot be read, is no mapping, or extends itself.
    """
    node = compose_file(path, shown(path))
    if node is None:
        raise UserError("the recipe is empty", Mark(shown(path)))
    if not isinstance(node, MappingNode) or node.tag != STANDARD + "map":
        raise UserError("a recipe is a mapping: program: ..., space: ..., ...", mark_of(node))
    parent = child(node, "extends")
    own = MappingNode(
        node.tag, [(k, v) for k, v in node.value if k.value != "extends"], node.start_mark
    )
    resolve_spaces(own, lookup_folders(path))
    if parent is None:
        return Loaded(own, [path])
    mark = mark_of(parent)
    name = scalar_value(parent) if isinstance(parent, ScalarNode) else None
    if not isinstance(name, str):
        raise UserError("extends names one recipe", mark, path="extends")
    base = find(name, lookup_folders(path), "recipe", mark)
    if base in (*open_files, path):
        ring = " -> ".join(shown(p) for p in (*open_files, path, base))
        raise UserError(f"a recipe extends itself: {ring}", mark, path="extends")
    loaded = load(base, (*open_files, path))
    merged = MappingNode(node.tag, list(loaded.node.value), node.start_mark)
    for key, value in own.value:
        put(merged, key.value, _laid(key.value, child(merged, key.value), value))
    return Loaded(merged, [path, *loaded.files])


def _laid(key: str, old: Node | None, new: Node) -> Node:
    """The new value of a recipe's key: one thing is replaced, what has parts is changed in them.

    An objective is one thing, and so is a bound: a reward was not meant for another. An algorithm
    has no use for the options of another.
    """
    if key == "algorithm" and old is not None:
        names = [getattr(child(node, "name"), "value", None) for node in (new, old)]
        if names[0] is not None and names[0] != names[1]:
            return new
    if key == "objective":
        return new
    if key == "constraints" and isinstance(old, MappingNode) and isinstance(new, MappingNode):
        bounds = MappingNode(new.tag, list(old.value), new.start_mark)
        for name, bound in new.value:
            put(bounds, name.value, bound)
        return bounds
    return merge(old, new)


def lookup_folders(path: Path) -> list[Path]:
    """Where a file's references are looked up: its folder, then the one above."""
    return [path.parent, path.parent.parent]


def resolve_spaces(node: MappingNode, folders: Sequence[Path]) -> None:
    """Turn the overlay names of a recipe into absolute paths, while it is known from where."""
    space = child(node, "space")
    for item in space.value if isinstance(space, SequenceNode) else [space]:
        if isinstance(item, ScalarNode) and item.tag == STANDARD + "str":
            found = find(item.value, folders, "overlay", mark_of(item))
            item.value = str(found)


def child(node: Node, key: str) -> Node | None:
    """The value of a key of a mapping, if it is there."""
    if isinstance(node, MappingNode):
        for k, v in node.value:
            if k.value == key:
                return v  # type: ignore[no-any-return]
    return None


def put(node: MappingNode, key: str, value: Node) -> None:
    """Set a key of a mapping, in place; the key then stands where the value does."""
    name = ScalarNode(STANDARD + "str", key, value.start_mark)
    for i, (k, _) in enumerate(node.value):
        if k.value == key:
            node.value[i] = (name, value)
            return
    node.value.append((name, value))


def value_node(text: str, option: str) -> Node:
    """The YAML node of an option's value; its mistakes are reported as the option's."""
    where: Any = Mark(option)
    return compose(text, option) or ScalarNode(STANDARD + "null", "", where)


def set_path(root: MappingNode, assignment: str) -> None:
    """Carry out `--set path=value` on a merged recipe.

    Raises:
        UserError: no `=`, or a path that the recipe does not have.
    """
    text, equals, value = assignment.partition("=")
    option = f"--set {assignment}"
    if not equals:
        raise UserError("expected path=value", Mark(option), hint="--set budget.trials=50")
    try:
        path = parse_path(text.strip(), pattern=True)
    except UserError as error:
        raise UserError(error.problems[0].message, Mark(option)) from None
    if not path:
        raise UserError("expected path=value", Mark(option), hint="--set budget.trials=50")
    if path[0] == "extends":
        raise UserError("a command line cannot change what a recipe extends", Mark(option))
    node = value_node(value, option)
    if path[0] == "constraints" and len(path) == 2:
        bounds = MappingNode(STANDARD + "map", [], Mark(option))  # type: ignore[arg-type]
        put(bounds, str(path[1]), node)
        path, node = path[:1], bounds
    if len(path) == 1:
        key = str(path[0])
        put(root, key, _laid(key, child(root, key), node))
        return
    named = child(root, "algorithm")
    if path[0] == "algorithm" and isinstance(named, ScalarNode):  # a name alone has no options yet
        pair = ScalarNode(STANDARD + "str", "name", Mark(option)), named  # type: ignore[arg-type]
        put(root, "algorithm", MappingNode(STANDARD + "map", [pair], Mark(option)))  # type: ignore[arg-type]
    for parent in list(_owners(root, path[:-1], option, text)):
        _put_key(parent, path[-1], node, option, text)


def _owners(node: Node, path: Sequence[Any], option: str, text: str) -> Iterator[Node]:
    if not path:
        yield node
        return
    key, rest = path[0], path[1:]
    if isinstance(node, SequenceNode):
        if isinstance(key, Wild):
            for item in node.value:
                yield from _owners(item, rest, option, text)
            return
        if isinstance(key, int) and -len(node.value) <= key < len(node.value):
            yield from _owners(node.value[key], rest, option, text)
            return
    elif isinstance(node, MappingNode) and isinstance(key, str):
        inner = child(node, key)
        if (inner is None or inner.tag == STANDARD + "null") and node.tag == STANDARD + "map":
            inner = MappingNode(STANDARD + "map", [], Mark(option))  # type: ignore[arg-type]
            put(node, key, inner)
        if inner is not None:
            yield from _owners(inner, rest, option, text)
            return
    elif isinstance(node, ScalarNode) and not node.tag.startswith(STANDARD) and not node.value:
        raise UserError(f"{text}: give {node.tag} its arguments in the recipe", Mark(option))
    known = [k.value for k, _ in node.value] if isinstance(node, MappingNode) else []
    raise UserError(f"{text}: the recipe has no {key}", Mark(option),
                    hint=did_you_mean(str(key), known))  # fmt: skip


def _put_key(parent: Node, key: Any, node: Node, option: str, text: str) -> None:
    if isinstance(parent, MappingNode) and isinstance(key, str):
        old = child(parent, key)
        put(parent, key, merge(old, node))
    elif isinstance(parent, SequenceNode) and isinstance(key, Wild):
        parent.value[:] = [node] * len(parent.value)
    elif isinstance(parent, SequenceNode) and key in range(-len(parent.value), len(parent.value)):
        parent.value[key] = node
    elif isinstance(parent, ScalarNode) and not parent.tag.startswith(STANDARD):
        raise UserError(f"{text}: give {parent.tag} its arguments in the recipe", Mark(option))
    else:
        raise UserError(f"{text}: there is no such place in the recipe", Mark(option))


def set_space(root: MappingNode, values: Sequence[str]) -> None:
    """Carry out `--space`: `+name` adds an overlay, `-name` takes one away, `name` replaces all.

    `none` leaves the static program.
    """
    space = child(root, "space")
    items: list[Node] = []
    if isinstance(space, SequenceNode):
        items = list(space.value)
    elif space is not None and space.tag != STANDARD + "null":
        items = [space]
    fresh = False
    for value in values:
        option = f"--space {value}"
        name = value.lstrip("+-")
        if not value.startswith(("+", "-")) and not fresh:
            items, fresh = [], True
        if name == "none":
            continue
        path = find(name, [Path.cwd()], "overlay", Mark(option))
        if value.startswith("-"):
            kept = [n for n in items if n.value != str(path)]
            if len(kept) == len(items):
                raise UserError(f"{name} is not in the space of this recipe", Mark(option))
            items = kept
        else:
            mark: Any = Mark(option)
            items.append(ScalarNode(STANDARD + "str", str(path), mark))
    where: Any = Mark("--space")
    put(root, "space", SequenceNode(STANDARD + "seq", items, where))
