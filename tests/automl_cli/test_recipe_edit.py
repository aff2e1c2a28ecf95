"""A switch is made in the text: one line changes, comments and the rest stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli.recipe import load_recipe
from automl_cli.recipe_diff import code_lines, compare
from automl_cli.recipe_edit import switched

RECIPE = """\
# A comment of the user's.
extends: mobilenet/static
space:            # what is searched
- overlays/mobilenet_s1.yaml
algorithm: random   # cheap
budget: {trials: 25}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe file in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE, encoding="utf-8")
    return file


def test_an_algorithm_is_one_line(path: Path) -> None:
    """Only the line of the algorithm differs, and its comment stays."""
    text = switched(path, "bayesian", ())
    before, after = RECIPE.splitlines(), text.splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1
    assert changed[0][1].startswith("algorithm: bayesian")
    assert "# cheap" in changed[0][1]


def test_an_absent_key_is_added(path: Path) -> None:
    """A recipe that inherits its algorithm gets a line of its own."""
    path.write_text("extends: mobilenet/s1\n", encoding="utf-8")
    text = switched(path, "evolution", ())
    assert text == "extends: mobilenet/s1\nalgorithm: evolution\n"


def test_a_space_is_added_by_name(path: Path) -> None:
    """Shipped overlays keep their shipped names; the result loads to S3."""
    text = switched(path, None, ["+overlays/mobilenet_s2"])
    assert "overlays/mobilenet_s1.yaml" in text
    assert "overlays/mobilenet_s2.yaml" in text
    assert text.startswith("# A comment of the user's.\n")
    old = load_recipe(str(path))
    path.write_text(text, encoding="utf-8")
    new = load_recipe(str(path))
    assert new.template == load_recipe("mobilenet/s3").template
    assert compare(old, new).spaces[1].size > compare(old, new).spaces[0].size


def test_references_follow_to_another_folder(path: Path, tmp_path: Path) -> None:
    """What was beside the recipe is found from where the new one lies."""
    (tmp_path / "own_space.yaml").write_text(
        "- {at: model.width, replace: !oneof [0.35, 0.5]}\n", encoding="utf-8"
    )
    (tmp_path / "base.yaml").write_text(
        "extends: mobilenet/static\nspace: [own_space.yaml]\n", encoding="utf-8"
    )
    target = tmp_path / "deep" / "er" / "copy.yaml"
    target.parent.mkdir(parents=True)
    text = switched(tmp_path / "base.yaml", "evolution", (), target)
    target.write_text(text, encoding="utf-8")
    assert load_recipe(str(target)).template == load_recipe("base.yaml").template
    assert load_recipe(str(target)).algorithm == "evolution"


def test_only_lines_that_say_something_count() -> None:
    """Comments, blank lines and `doc` do not; a line twice counts twice."""
    text = "# comment\n\ndoc: words\na: 1  # why\n- x\n- x\n"
    assert code_lines(text) == {"a: 1": 1, "- x": 2}
