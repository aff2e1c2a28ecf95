"""Random changes of training batches, each a whole-batch tensor operation.

All take images float32 [N, C, H, W], targets float32 [N, K] (probabilities of the classes) and
a CPU generator, and return both. With strength 0 each is the identity, so that a search may
turn it off.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from automl_cli.programs.contracts import Batch


@dataclass(frozen=True)
@register
class Shift:
    """Move each image by up to `pixels` in both directions; the border repeats its edge."""

    pixels: int = 2

    def __call__(self, images: Tensor, targets: Tensor, generator: Generator) -> Batch:
        """Pad, then crop at a random place of each image."""
        import torch
        from torch.nn.functional import pad

        if not self.pixels:
            return images, targets
        n, _, h, w = images.shape
        padded = pad(images, [self.pixels] * 4, mode="replicate")
        offsets = torch.randint(2 * self.pixels + 1, (2, n, 1), generator=generator)
        rows, columns = offsets[0] + torch.arange(h), offsets[1] + torch.arange(w)  # [N, H], [N, W]
        # Indexing around the sliced channel axis puts it last: [N, H, W, C], channels_last.
        cropped = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None]]
        return cropped.permute(0, 3, 1, 2), targets


@dataclass(frozen=True)
@register
class Flip:
    """Mirror each image left to right with a probability. Not for digits and letters."""

    probability: float = 0.5

    def __call__(self, images: Tensor, targets: Tensor, generator: Generator) -> Batch:
        """Choose the images, mirror them."""
        import torch

        chosen = torch.rand(len(images), 1, 1, 1, generator=generator) < self.probability
        return torch.where(chosen.to(images.device), images.flip(3), images), targets


@dataclass(frozen=True)
@register
class Cutout:
    """Set a square of `size` pixels to zero, the mean colour (DeVries and Taylor 2017).

    Its centre is uniform over the image, so it may hang over the border, as in the paper.
    """

    size: int = 8

    def __call__(self, images: Tensor, targets: Tensor, generator: Generator) -> Batch:
        """Choose a centre in each image, mask what is nearer than half the size."""
        import torch

        n, _, h, w = images.shape
        centre = torch.rand(2, n, 1, generator=generator)
        rows = torch.arange(h) - (centre[0] * h).floor() + self.size // 2  # [N, H]
        columns = torch.arange(w) - (centre[1] * w).floor() + self.size // 2  # [N, W]
        inside_rows = (rows >= 0) & (rows < self.size)
        inside_columns = (columns >= 0) & (columns < self.size)
        hole = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]  # [N, 1, H, W]
        return images.masked_fill(hole.to(images.device), 0.0), targets


@dataclass(frozen=True)
@register
class Mixup:
    """Blend pairs of images and their targets (Zhang et al. 2018, arXiv 1710.09412).

    One share per batch is drawn from Beta(alpha, alpha), as in the paper's code.
    """

    alpha: float = 0.2

    def __call__(self, images: Tensor, targets: Tensor, generator: Generator) -> Batch:
        """Blend the batch with a permutation of itself."""
        import torch

        if not self.alpha:
            return images, targets
        # torch has no Beta that takes a generator: the generator seeds one that has.
        source = random.Random(int(torch.randint(2**62, (), generator=generator)))
        share = source.betavariate(self.alpha, self.alpha)
        order = torch.randperm(len(images), generator=generator).to(images.device)
        return (
            torch.lerp(images[order], images, share),
            torch.lerp(targets[order], targets, share),
        )
