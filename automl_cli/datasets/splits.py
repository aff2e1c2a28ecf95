"""Train, validation and test: drawn once by the data set's own seed, the same for every trial.

The split does not follow the trial's seed: trials of a study are compared on the same images,
and the test part is never seen by a search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from automl_cli.programs.contracts import Batch, Shape

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]


class Parts(NamedTuple):
    """Positions of the images of each part, int64 [n]."""

    train: Integers
    valid: Integers
    test: Integers


def random_parts(n: int, seed: int, valid: int, test: int) -> Parts:
    """`n` images in random order: `valid` and `test` of them are held out, the rest trains."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(n)
    return Parts(order[valid + test :], order[:valid], order[valid : valid + test])


class TensorSplit:
    """A part of a data set in memory, as bytes; standardised batch by batch.

    Args:
        images: uint8 [n, C, H, W].
        labels: int64 [n].
        mean, std: float32 [C], in the unit of the bytes.
    """

    def __init__(self, images: Tensor, labels: Tensor, mean: Tensor, std: Tensor) -> None:
        self.images, self.labels = images, labels
        self.mean, self.std = mean[:, None, None], std[:, None, None]

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, size: int, generator: Generator | None = None, *, drop_last: bool = False
    ) -> Iterator[Batch]:
        """One pass: images float32 [N, C, H, W] of mean 0 and deviation 1, labels int64 [N].

        Args:
            size: images per batch; a part that is smaller is one batch.
            generator: shuffles; None keeps the order.
            drop_last: leave out the last batch when it is not full.
        """
        import torch

        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        end = n - n % size if drop_last and n >= size else n
        for start in range(0, end, size):
            chosen = order[start : min(start + size, end)]
            yield (self.images[chosen].float() - self.mean) / self.std, self.labels[chosen]


class InMemory(ABC):
    """A data set that fits in memory, read at the first use of a part.

    Subclasses give `shape` (C, H, W), `classes` and `split_seed`, and read the bytes.
    """

    shape: ClassVar[Shape]
    classes: ClassVar[int]
    split_seed: int

    @abstractmethod
    def read(self) -> tuple[Bytes, Integers]:
        """All images, uint8 [n, C, H, W], and their labels, int64 [n]."""

    def parts(self, n: int) -> Parts:
        """Which of `n` images belong to which part: a fifth each for validation and test."""
        return random_parts(n, self.split_seed, valid=n // 5, test=n // 5)

    @cached_property
    def _splits(self) -> tuple[TensorSplit, TensorSplit, TensorSplit]:
        import torch

        images, labels = self.read()
        parts = self.parts(len(labels))
        seen = images[parts.train]
        # Mean and deviation of the training part only: the others are not to be known.
        mean = torch.from_numpy(seen.mean(axis=(0, 2, 3), dtype="float64")).float()
        std = torch.from_numpy(seen.std(axis=(0, 2, 3), dtype="float64")).float()
        train, valid, test = (
            TensorSplit(torch.from_numpy(images[i]), torch.from_numpy(labels[i]), mean, std)
            for i in parts
        )
        return train, valid, test

    @property
    def train(self) -> TensorSplit:
        """What the weights are fitted to."""
        return self._splits[0]

    @property
    def valid(self) -> TensorSplit:
        """What a search is rewarded by."""
        return self._splits[1]

    @property
    def test(self) -> TensorSplit:
        """What is only reported."""
        return self._splits[2]
