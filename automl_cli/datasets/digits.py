"""Handwritten digits of scikit-learn (UCI, Alpaydin and Kaynak 1998): 1,797 of 8 x 8 pixels."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

from automl_cli.datasets.splits import InMemory
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.datasets.splits import Bytes, Integers
    from automl_cli.programs.contracts import Shape


@register
class Digits(InMemory):
    """1,797 grey digits of 8 x 8: 1,079 train, 359 validate, 359 test. For smoke tests.

    Good networks differ by less here than the noise of the split (about 0.5 %).
    """

    shape: ClassVar[Shape] = (1, 8, 8)
    classes: ClassVar[int] = 10

    def __init__(self, split_seed: int = 0) -> None:
        self.split_seed = split_seed

    def read(self) -> tuple[Bytes, Integers]:
        """All images, uint8 [1797, 1, 8, 8] of 0..16, and labels [1797]."""
        return _read()


@cache
def _read() -> tuple[Bytes, Integers]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images.astype("uint8")[:, None], found.target.astype("int64")
