"""The documentation is executed: recipes load, Python blocks run, named files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from automl_cli.recipe import load_recipe
from automl_cli.recipe_schema import KEYS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """(page and line, text) of every fenced block in a language."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            found.append((f"{page.name}:{line}", match[1]))
    return found


RECIPES = [b for b in blocks("yaml") if re.search(r"^program:", b[1], re.MULTILINE)]


@pytest.mark.parametrize(("place", "text"), RECIPES, ids=[b[0] for b in RECIPES])
def test_recipes_in_the_documentation_load(
    place: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every recipe that the documentation shows is one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    recipe = load_recipe(str(path))
    assert recipe.program is not None, place
    assert recipe.objectives


def test_every_recipe_key_is_documented() -> None:
    """docs/recipes.md names each key of a recipe, and no other."""
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    table = text.partition("## Keys")[2].partition("##")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
             for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    assert named == set(KEYS)


def test_the_python_loop_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The README's Python example runs as it stands."""
    (_, text), *_ = [b for b in blocks("python") if "sample(space" in b[1] and "README" in b[0]]
    names: dict[str, object] = {"__name__": "readme_example"}
    exec(compile(text, "README.md", "exec"), names)
    assert names["space"] is not None


def test_links_lead_somewhere() -> None:
    """Relative links of every page point at files that exist."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
