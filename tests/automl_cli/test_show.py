"""`automl show RECIPE` is answered without click; nobody may notice but by the clock."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from automl_cli import recipe_text
from tests.automl_cli.command_line import Project

SLOW = ("click", "dataclasses", "inspect", "json")


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder with a recipe, one with mistakes, and one in several alphabets."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.recipe()
    made.recipe("wrong.yaml", algorithm="{name: evolution, population: -3}", budgt="3")
    made.recipe("texts.yaml", doc="größer – 漢字")
    return made


def automl(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """The command line as a process of its own."""
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen(
        [sys.executable, "-m", "automl_cli", *arguments],
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("name", ["hyperparameters", "mobilenet/s3"])
def test_showing_a_recipe_imports_nothing_slow(name: str, project: Project) -> None:
    """Each of these takes as long as reading the recipe does."""
    code = (
        "import sys\nfrom automl_cli.__main__ import main\n"
        f"code = main(['show', {name!r}])\n"
        f"print([m for m in {SLOW!r} if m in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ["recipe.yaml", "texts", "mobilenet/s1", "wrong", "nope", ".", ""])
def test_click_would_say_the_same(name: str, project: Project) -> None:
    """With `--` before the recipe's name it is click that reads the command line."""
    quick = project("show", name)
    assert quick == project("show", "--", name)
    assert quick.out or quick.err


def test_titles_are_bold_on_a_terminal(project: Project) -> None:
    """As click makes them."""
    shown = []
    for arguments in (["show", "texts"], ["show", "--", "texts"]):
        screen, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "automl_cli", *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            stdout=terminal,
        )
        assert process.wait(timeout=60) == 0
        shown.append(os.read(screen, 65536).decode())
        os.close(terminal)
        os.close(screen)
    assert "\x1b[1mprogram\x1b[0m" in shown[0]
    assert shown[0] == shown[1]


def test_an_output_of_few_letters_is_left_to_click(project: Project) -> None:
    """It writes UTF-8 where Python was told to write ASCII."""
    out, err = automl("show", "texts", PYTHONIOENCODING="ascii").communicate()
    assert err == b""
    assert "größer – 漢字" in out.decode()


@pytest.mark.parametrize("arguments", [["show", "recipe.yaml"], ["show", "--", "recipe.yaml"]])
def test_a_reader_may_go_away(arguments: list[str], project: Project) -> None:
    """`automl show recipe.yaml | true`: no traceback, and nothing went wrong."""
    process = automl(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == b""
    assert process.wait(timeout=60) == 0


def test_it_can_be_interrupted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs of a large network may take seconds."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe_text, "static_costs", interrupt)
    code, out, err = project("show", "recipe.yaml")
    assert (code, err) == (130, "\ninterrupted\n")
    assert "program" in out
    assert project("show", "--", "recipe.yaml") == (code, out, err)
