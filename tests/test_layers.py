"""The architecture, checked: an arrow goes down only, and each heavy library has its place."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "automl_spaces": ROOT / "spaces" / "automl_spaces",
    "automl_algorithms": ROOT / "algorithms" / "automl_algorithms",
    "automl_cli": ROOT / "automl_cli",
}
ALLOWED = {  # library: where it may be imported, as beginnings of paths
    "mlflow": ("automl_cli/mlflow_",),
    "optuna": (
        "algorithms/automl_algorithms/multi_trial/bayesian",
        "algorithms/automl_algorithms/multi_trial/_optuna",
        "automl_cli/importances",
    ),
    "ray": ("automl_cli/executors/ray",),
    "torch": (
        "automl_cli/programs/",
        "automl_cli/datasets/",
        "automl_cli/costs/counting",
        "automl_cli/hardware/",
        "automl_cli/shared_",
        "algorithms/automl_algorithms/weight_sharing/",
    ),
    "rich": ("automl_cli/display", "automl_cli/output", "automl_cli/commands/"),
    "pebble": ("automl_cli/executors/pool", "automl_cli/campaign"),
    "matplotlib": (
        "automl_cli/plots",
        "automl_cli/report_html",
        "automl_cli/mlflow_summary",
        "automl_cli/commands/report",
    ),
    "click": ("automl_cli/",),
}
LAZY = {"mlflow", "optuna", "ray", "torch", "rich", "matplotlib", "numpy", "sklearn"}
QUICK = ["automl_cli.cli", "automl_cli.recipe", "automl_cli.recipe_reader", "automl_spaces"]


def _imports(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports anywhere, also inside of functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _modules() -> Iterator[tuple[str, set[str]]]:
    for folder in PACKAGES.values():
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), {*_imports(path)}


@pytest.mark.parametrize("library", ALLOWED)
def test_a_library_has_its_place(library: str) -> None:
    """Only the modules that are about a library import it."""
    elsewhere = [
        name
        for name, imported in _modules()
        if library in imported and not name.startswith(ALLOWED[library])
    ]
    assert elsewhere == []


def test_the_symbolic_core_needs_only_yaml() -> None:
    """Beside the standard library and itself."""
    allowed = {*sys.stdlib_module_names, "yaml", "automl_spaces"}
    for name, imported in _modules():
        if name.startswith("spaces/"):
            assert imported <= allowed, name


def test_an_arrow_goes_down_only() -> None:
    """What import-linter would say, from the text alone."""
    above = {
        "automl_spaces": {"automl_algorithms", "automl_cli"},
        "automl_algorithms": {"automl_cli"},
        "automl_cli": set[str](),
    }
    for name, imported in _modules():
        package = next(p for p in PACKAGES if f"{p}/" in name)
        assert not imported & above[package], name


@pytest.mark.slow
def test_the_contracts_of_import_linter_hold() -> None:
    """`lint-imports` on the configuration in pyproject.toml."""
    pytest.importorskip("importlinter")
    search = [str(folder.parent) for folder in PACKAGES.values()]
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
         "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_quick_modules_load_nothing_heavy() -> None:
    """Importing what every command needs stays quick, whatever is installed."""
    code = (
        "import sys, importlib\n"
        f"for name in {QUICK!r}: importlib.import_module(name)\n"
        f"print(sorted({LAZY!r} & set(sys.modules)))"
    )
    search = [str(folder.parent) for folder in PACKAGES.values()]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
