"""Modules beside a recipe are found, and do not stand in for Python's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from automl_cli.__main__ import main
from automl_cli.module_folders import open_folders


def test_folders_come_after_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """And before installed packages; a folder is opened once."""
    monkeypatch.setattr(sys, "path", ["/lib/python3", "/lib/python3/site-packages", "/more"])
    open_folders(["/mine"])
    open_folders(["/mine"])
    assert sys.path == ["/lib/python3", "/mine", "/lib/python3/site-packages", "/more"]


@pytest.mark.parametrize("executor", ["inline", "pool"])
def test_a_file_named_like_a_standard_module_does_no_harm(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `queue.py` and a `random.py` beside the recipe are not imported by anybody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("random", "queue", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('mine was imported')\n")
    (tmp_path / "beside_it.py").write_text("def f(x: float) -> float:\n    return -x * x\n")
    (tmp_path / "square.yaml").write_text(
        "imports: [beside_it]\nprogram: !f {x: 1.0}\nspace: [{at: x, replace: !floatv [-1, 1]}]\n"
        f"objective: {{maximize: y}}\nbudget: {{trials: 3}}\nrun: {{executor: {executor}}}\n"
        "tracking: {enabled: false}\n"
    )
    assert main(["run", "square", "--json"]) == 0
