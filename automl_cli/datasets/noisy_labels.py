"""Wrong labels in the training part: what regularisation is for, within seconds of training."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from automl_cli.programs.contracts import Dataset, Split

    class LabelledSplit(Split, Protocol):
        """A split that has its labels in memory, int64 [n]."""

        labels: Tensor


@register
class NoisyLabels:
    """A data set in memory some of whose training labels are drawn anew, at random.

    A network that comes to trust each label does worse than one that is held back, as in Zhang et
    al. 2018 (mixup, arXiv 1710.09412, section 3.4). Validation and test parts stay as they are.

    Args:
        data: the data set.
        share: of the training labels; one in `classes` of them turns out right all the same.
        seed: of the noise.
    """

    def __init__(self, data: Dataset, share: float = 0.2, seed: int = 0) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"NoisyLabels: share must be from 0 to 1, got {share}")
        self.data, self.share, self.seed = data, share, seed
        self.shape, self.classes = data.shape, data.classes

    @cached_property
    def train(self) -> Split:
        """What the weights are fitted to.

        Raises:
            UserError: when the labels are not in memory.
        """
        import torch

        if not hasattr(self.data.train, "labels"):
            raise UserError(
                f"NoisyLabels: the labels of {type(self.data).__name__} are not in memory"
            )
        generator = torch.Generator().manual_seed(self.seed)
        noisy = cast("LabelledSplit", copy.copy(self.data.train))
        n, labels = len(noisy), noisy.labels
        wrong = torch.rand(n, generator=generator) < self.share
        drawn = torch.randint(self.classes, (n,), generator=generator)
        noisy.labels = torch.where(wrong, drawn, labels)
        return noisy

    @property
    def valid(self) -> Split:
        """What a search is rewarded by."""
        return self.data.valid

    @property
    def test(self) -> Split:
        """What is only reported."""
        return self.data.test
