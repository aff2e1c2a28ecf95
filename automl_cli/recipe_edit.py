"""Switching the algorithm or the space of a recipe in its text, so that comments stay."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from yaml.nodes import ScalarNode, SequenceNode

from automl_cli import recipe_files as files
from automl_spaces.errors import UserError
from automl_spaces.yaml_reader import compose_file
from automl_spaces.yaml_writer import dump


def switched(
    path: Path, algorithm: str | None, space: Sequence[str], target: Path | None = None
) -> str:
    """The text of a recipe with another algorithm or space.

    Args:
        target: the file it will be written to; references are made relative to its folder.

    Raises:
        UserError: a value that is not YAML, an overlay that does not exist.
    """
    text = path.read_text(encoding="utf-8")
    folder = (target or path).absolute().parent
    if folder != path.parent:
        text = _moved(text, path, folder)
    if algorithm is not None:
        files.value_node(algorithm, "--algorithm")
        text = _put(text, "algorithm", algorithm.strip())
    if space:
        root = files.load(path).node
        files.set_space(root, space)
        node = files.child(root, "space")
        assert isinstance(node, SequenceNode)
        if any(not isinstance(n, ScalarNode) for n in node.value):
            raise UserError(
                "this recipe writes its rules out under space",
                hint="move them to an overlay file first",
            )
        names = [_reference(Path(n.value), folder) for n in node.value]
        text = _put(text, "space", dump(names).strip())
    return text


def _reference(path: Path, folder: Path) -> str:
    """How a file is named from a folder: a shipped one by its shipped name."""
    root = files.recipes_root()
    if path.is_relative_to(root) and not folder.is_relative_to(root):
        return str(path.relative_to(root))
    if path.is_relative_to(root) and folder.is_relative_to(root):
        return str(path.relative_to(root))
    return os.path.relpath(path, folder)


def _moved(text: str, path: Path, folder: Path) -> str:
    """The text with `extends` and the overlays of `space` named from another folder."""
    node = compose_file(path)
    for key, what in (("extends", "recipe"), ("space", "overlay")):
        value = files.child(node, key) if node is not None else None
        items: list[Any] = value.value if isinstance(value, SequenceNode) else [value]
        if not items or not all(isinstance(n, ScalarNode) for n in items):
            continue
        found = [files.find(n.value, files.lookup_folders(path), what) for n in items]
        names = [_reference(f, folder) for f in found]
        text = _put(text, key, names[0] if key == "extends" else dump(names).strip())
    return text


def _put(text: str, key: str, value: str) -> str:
    """Replace a top-level key's value, or append the key."""
    lines = text.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if start is None:
        newline = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{newline}{key}: {value}\n"
    end = start + 1
    while end < len(lines) and (lines[end][:1] in (" ", "\t") or lines[end].startswith("- ")):
        end += 1
    comment = lines[start].partition(" #")[2] if end == start + 1 else ""
    tail = f"  #{comment.rstrip()}" if comment else ""
    lines[start:end] = [f"{key}: {value}{tail}\n"]
    return "".join(lines)
