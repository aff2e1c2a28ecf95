"""What holds for every test of weight sharing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.threads import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The tensors are small."""
    with one_thread():
        yield
