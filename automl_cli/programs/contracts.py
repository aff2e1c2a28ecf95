"""What the parts of a trainer ask of each other: types only, nothing to run.

Shapes are written [N, C, H, W]: images of a batch, channels, height, width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

Batch = tuple["Tensor", "Tensor"]  # images float32 [N, C, H, W]; labels int64 [N] or targets [N, K]
Shape = tuple[int, ...]  # of one input: channels, height, width of an image; length of a text


class Split(Protocol):
    """One part of a data set: so many images, handed out in batches."""

    def __len__(self) -> int: ...

    def batches(
        self, size: int, generator: Generator | None = None, *, drop_last: bool = False
    ) -> Iterator[Batch]:
        """One pass over the part; shuffled by `generator`, in fixed order without one."""
        ...


class Dataset(Protocol):
    """Images with labels in three parts. `shape` and `classes` are known without loading it."""

    @property
    def shape(self) -> Shape:
        """Of one image."""
        ...

    @property
    def classes(self) -> int:
        """How many there are."""
        ...

    @property
    def train(self) -> Split:
        """What the weights are fitted to."""
        ...

    @property
    def valid(self) -> Split:
        """What a search is rewarded by."""
        ...

    @property
    def test(self) -> Split:
        """What is only reported."""
        ...


class Augmentation(Protocol):
    """A random change of a training batch; targets are probabilities [N, K]."""

    def __call__(self, images: Tensor, targets: Tensor, generator: Generator) -> Batch:
        """The changed images and targets."""
        ...


class OptimizerSpec(Protocol):
    """An optimiser without its parameters: called with them, it makes the real one."""

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The optimiser of these parameters."""
        ...


class Device(Protocol):
    """A piece of hardware that a network may be meant for; see `automl_cli.hardware`."""

    def cost(self, network: Any) -> Any:
        """What the network's layers need on it."""
        ...


@runtime_checkable
class BuiltForData(Protocol):
    """A model whose sizes follow from the data: it makes its layers when it is told them."""

    def build_for(self, shape: Shape, classes: int) -> nn.Module:
        """The model with every layer made, weights fresh."""
        ...


@runtime_checkable
class Assembled(Protocol):
    """A block whose number of input channels is known only where it stands in a network."""

    def assemble(self, channels: int, width: float) -> int:
        """Make the layers for `channels` inputs; the answer is the number of output channels."""
        ...
