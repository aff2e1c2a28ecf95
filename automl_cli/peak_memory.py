"""How much memory a part of a process needs at its peak, as the kernel counts it (Linux)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

PEAK: Final = "peak_memory_mb"
"""The metric: what a trial, or the training of a supernet, needed above what there was before."""
_PROCESS: Final = Path("/proc/self")


class PeakMemory:
    """The growth of the resident set of this process, from now on.

    Attributes:
        known: MB (10^6 bytes) that the same work needed in an earlier process.
    """

    def __init__(self) -> None:
        self.known = 0.0
        with suppress(OSError):  # elsewhere the peak may be one of before
            (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
        self._before = _resident("VmRSS")

    def mb(self) -> float | None:
        """The peak so far, in MB; None where the system does not tell."""
        now = _resident("VmHWM")
        if now is None or self._before is None:
            return None
        return max(self.known, now - self._before)


def _resident(name: str) -> float | None:
    """A line of the process's status, in MB; there it is in units of 1024 bytes."""
    with suppress(OSError):
        for line in (_PROCESS / "status").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024 / 1e6
    return None
