"""From trials to weight sharing and back: one line of the recipe, none of the program."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import automl_cli.programs
from automl_algorithms import catalogue
from automl_cli.recipe import load_recipe

from .command_line import Project

SIZES = ("tas", "fbnetv2")  # need widths
NAMES = catalogue.names(family="weight_sharing")


def digest() -> str:
    """Of every file that the child program is made of."""
    files = sorted(Path(automl_cli.programs.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_there_are_all_of_them() -> None:
    """The family of the talk, and the two searches over sizes."""
    wanted = {"rsps", "darts", "gdas", "setn", "enas", "tunas", *SIZES}
    assert wanted <= set(NAMES)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """An empty one but for the usual files."""
    return Project(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("name", NAMES)
def test_the_switch_is_one_line(name: str, project: Project) -> None:
    """And back; the program and its space are the same objects, and no file of it changes."""
    before = digest()
    recipe = "cells/size" if name in SIZES else "cells/topology"
    there = json.loads(project("diff", recipe, "-a", name, "--json").out)
    assert (there["lines_added"], there["lines_removed"]) == (1, 1)
    text = f"extends: {recipe}\nalgorithm: {name}\n"
    searched = project.write("searched.yaml", text)
    back = json.loads(project("diff", str(searched), "-a", "random", "--json").out)
    assert (back["lines_added"], back["lines_removed"]) == (1, 1)
    static = load_recipe(recipe)
    assert load_recipe(str(searched)).template == static.template
    assert load_recipe(str(searched), algorithm="random").template == static.template
    assert digest() == before
