"""What happens when nobody reads the output any more: `automl list | head -1`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_when_unread() -> Iterator[None]:
    """End the block without a word when its reader has gone away, as other tools do.

    Raises:
        RuntimeError: another pipe broke than standard output.
    """
    try:
        yield
    except BrokenPipeError as error:
        import select

        output = select.poll()
        output.register(sys.stdout.fileno(), 0)  # errors are told without being asked for
        if not output.poll(0):  # click would leave without a word, whichever pipe it was
            raise RuntimeError("a pipe to another process broke") from error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
