"""The driver of the benchmarks: what it can run, and what it keeps. Nothing is measured here."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
MACHINE = {"date": "2026-11-25", "python": "3.12", "machine": "m", "cores": 2,
           "versions": {"automl-cli": "1"}, "load before": 1.0, "load after": 2.0}  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module `run`, whose neighbours it imports by their bare names."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("run")


def test_every_name_is_a_benchmark(run: Any) -> None:
    """Those of the table measure rows, the others are scripts."""
    for name in (*run.BENCHMARKS, *run.SLOW):
        assert "\ndef measure(quick: bool) -> list[Row]:" in _text(name), name
    for name in run.SCRIPTS:
        assert '\nif __name__ == "__main__":' in _text(name), name


def _text(name: str) -> str:
    return (BENCHMARKS / f"{name}.py").read_text(encoding="utf-8")


def test_a_part_is_measured_anew(run: Any, tmp_path: Path) -> None:
    """The other rows stay, with their date; the table has the order of the benchmarks."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (tmp_path / "README.md").write_text(f"a\n{run.BEGIN}\nold\n{run.END}\nb\n", encoding="utf-8")
    loop, slow = (
        run.Row("a loop", 1.0, 4.0, "ms", 4.0, 2.0),
        run.Row("b", 3.0, 2.0, "s", 1.5, 1.2, True),
    )
    startup = run.Row("a start", 1.0, 1.0, "ms", 1.0, None)
    run.write(
        {"loop": [loop], "startup": [startup]}, MACHINE, quick=True, keep=False, folder=folder
    )
    assert (tmp_path / "README.md").read_text(encoding="utf-8").count("2026-11-25") == 1
    later = {**MACHINE, "date": "2026-11-26"}
    again = loop._replace(ours=2.0, ratio=2.0)
    for rows in ({"loop": [again]}, {"autohas_cost": [slow]}):
        run.write(rows, later, quick=False, keep=True, folder=folder)
    found = run.recorded(json.loads((folder / "results.json").read_text(encoding="utf-8")))
    assert list(found) == ["loop", "startup", "autohas_cost"]
    assert [each["rows"] for each in found.values()] == [[again], [startup], [slow]]
    assert [each["quick"] for each in found.values()] == [False, True, False]
    lines = (tmp_path / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[:2] + lines[-2:] == ["a", run.BEGIN, run.END, "b"]
    assert [line[:9] for line in lines if line.startswith(("| a", "| b"))] == [
        "| a loop ", "| a start", "| b | 3.0",
    ]  # fmt: skip
    assert any(line.startswith("loop, autohas_cost: 2026-11-26, 2 cores") for line in lines)
    assert any(line.startswith("startup: 2026-11-25") for line in lines)


def test_what_is_recorded_can_be_read(run: Any) -> None:
    """The results that ship, and their table is the README's."""
    found = run.recorded(json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8")))
    rows = [row for each in found.values() for row in each["rows"]]
    readme = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    assert len(rows) > 20
    assert run.table(rows) in readme
