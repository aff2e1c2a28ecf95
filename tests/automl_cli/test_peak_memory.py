"""The peak of the memory of a part of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli import peak_memory
from automl_cli.peak_memory import PeakMemory


def _fill(mb: int) -> None:
    bytearray(b"x" * 1_000_000 * mb)


def test_what_was_used_in_between_counts() -> None:
    """Also when it is free again; what was used before does not count."""
    _fill(200)
    peak = PeakMemory()
    nothing = peak.mb()
    assert nothing is not None
    assert nothing < 30
    _fill(60)
    found = peak.mb()
    assert found is not None
    assert 60 <= found < 200


def test_an_earlier_process_may_have_needed_more() -> None:
    """The larger of both is known."""
    peak = PeakMemory()
    peak.known = 1e6
    assert peak.mb() == 1e6


def test_systems_that_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no number then."""
    monkeypatch.setattr(peak_memory, "_PROCESS", tmp_path / "gone")
    assert PeakMemory().mb() is None
