"""Locks that the operating system holds: they go away with their process, however that dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from automl_cli.ledger_schema import explain
from automl_spaces.errors import UserError


class StudyBusy(UserError):  # noqa: N818 - a state of affairs, named as such
    """Another process drives the study."""


@contextlib.contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file, which names its holder.

    Args:
        what: the holder is said to be running.

    Raises:
        StudyBusy: when another process holds it.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip()
            raise StudyBusy(
                f"process {holder or 'unknown'} is running {what}",
                hint="wait for it, or stop it, or give this run another name with --study",
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        try:
            yield
        finally:
            # Said explicitly, because a child forked meanwhile holds the same open file.
            fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise explain(path, error) from error
    try:
        yield file
    finally:
        os.close(file)
