"""Data sets of torchvision (the extra `vision`), read where they lie: `root` is their folder.

Nothing is downloaded unless `download: true` asks for it. All of it is read at the first use;
`shape` and `classes` are known before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cli.datasets.splits import InMemory, Parts, random_parts
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import Generator

    from automl_cli.datasets.splits import Bytes, Integers
    from automl_cli.programs.contracts import Batch, Shape


def torchvision() -> Any:
    """The package, with its parts `datasets` and `transforms`.

    Raises:
        UserError: when it is not installed, or does not fit the installed PyTorch.
    """
    try:  # a wheel that does not fit raises RuntimeError on import
        import torchvision.datasets
        import torchvision.transforms
    except Exception as error:
        raise UserError(
            f"this data set needs torchvision, which cannot be imported: {error}",
            hint="pip install 'automl-cli[vision]', from the same index as PyTorch",
        ) from error
    return torchvision


class _CIFAR(InMemory):
    """What both CIFARs share: 45,000 train, 5,000 validate, the official 10,000 test."""

    shape: ClassVar[Shape] = (3, 32, 32)
    name: ClassVar[str]
    root: str
    download: bool

    def read(self) -> tuple[Bytes, Integers]:
        """All images, uint8 [60000, 3, 32, 32], the official test images last; labels [60000]."""
        import numpy as np

        source = getattr(torchvision().datasets, self.name)
        root = Path(self.root).expanduser()
        try:
            found = [source(root, train=part, download=self.download) for part in (True, False)]
        except RuntimeError as error:
            raise UserError(
                f"{self.name} is not in {self.root}: {error}", hint="download: true fetches it"
            ) from error
        images = np.concatenate([part.data for part in found]).transpose(0, 3, 1, 2)
        labels = np.concatenate([np.asarray(part.targets, "int64") for part in found])
        return np.ascontiguousarray(images), labels

    def parts(self, n: int) -> Parts:
        """A tenth of the official training images validates; the official test images test."""
        import numpy as np

        fitted = n * 5 // 6
        parts = random_parts(fitted, self.split_seed, valid=fitted // 10, test=0)
        return parts._replace(test=np.arange(fitted, n))


@register
class CIFAR10(_CIFAR):
    """CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32 x 32 in 10 classes."""

    classes: ClassVar[int] = 10
    name: ClassVar[str] = "CIFAR10"

    def __init__(self, root: str = "data", download: bool = False, split_seed: int = 0) -> None:
        self.root, self.download, self.split_seed = root, download, split_seed


@register
class CIFAR100(_CIFAR):
    """CIFAR-100 (Krizhevsky 2009): 60,000 colour images of 32 x 32 in 100 classes."""

    classes: ClassVar[int] = 100
    name: ClassVar[str] = "CIFAR100"

    def __init__(self, root: str = "data", download: bool = False, split_seed: int = 0) -> None:
        self.root, self.download, self.split_seed = root, download, split_seed


class LoadedSplit:
    """A part of a data set that is decoded while it is used, by processes of its own.

    Args:
        dataset: a map-style data set of (float32 [3, H, W], int).
        workers: processes that decode; 0 decodes in this one.
    """

    def __init__(self, dataset: Any, workers: int) -> None:
        self.dataset, self.workers = dataset, workers

    def __len__(self) -> int:
        return len(self.dataset)

    def batches(
        self, size: int, generator: Generator | None = None, *, drop_last: bool = False
    ) -> Iterator[Batch]:
        """One pass: images float32 [N, 3, H, W], labels int64 [N]; see `TensorSplit.batches`."""
        from torch.utils.data import DataLoader

        yield from DataLoader(
            self.dataset,
            size,
            shuffle=generator is not None,
            generator=generator,
            num_workers=self.workers,
            drop_last=drop_last and len(self) >= size,
        )


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels of ImageNet, from 0 to 1."""

View = Callable[[Any], Any]
"""From an image of Pillow to float32 [3, H, W]."""


def random_crop(size: int) -> View:
    """A part of the image, drawn anew each time, at times mirrored (Szegedy et al. 2015)."""
    kit = torchvision().transforms
    return _standardised([kit.RandomResizedCrop(size), kit.RandomHorizontalFlip()])


def centre_crop(size: int) -> View:
    """The middle of the image: seven eighths of its shorter side."""
    kit = torchvision().transforms
    return _standardised([kit.Resize(round(size / 0.875)), kit.CenterCrop(size)])


def _standardised(steps: list[Any]) -> View:
    kit = torchvision().transforms
    view: View = kit.Compose([*steps, kit.ToTensor(), kit.Normalize(MEAN, STD)])
    return view


@register
class ImageFolder:
    """Images in folders, one folder per class: ImageNet and everything that is laid out like it.

    `root/train/<class>/*` trains, but for a seeded tenth (at most 50,000 images) that validates;
    `root/val/<class>/*` is the test part. Training images are cropped at random and mirrored,
    the others resized and cropped in the middle (Szegedy et al. 2015); ImageNet's mean and
    deviation of each channel standardise all of them.

    Args:
        root: folder that holds `train` and `val`.
        classes: number of classes; told, so that it is known without reading the folder.
        image_size: height and width that the network sees.
        workers: processes that decode images.
        split_seed: of the choice of validation images.
    """

    def __init__(
        self,
        root: str,
        classes: int = 1000,
        image_size: int = 224,
        workers: int = 2,
        split_seed: int = 0,
    ) -> None:
        self.root, self.classes, self.image_size = root, classes, image_size
        self.workers, self.split_seed = workers, split_seed
        self.shape: Shape = (3, image_size, image_size)

    @cached_property
    def train(self) -> LoadedSplit:
        """What the weights are fitted to."""
        return self._part("train", random_crop(self.image_size), self._held_out.train)

    @cached_property
    def valid(self) -> LoadedSplit:
        """What a search is rewarded by."""
        return self._part("train", centre_crop(self.image_size), self._held_out.valid)

    @cached_property
    def test(self) -> LoadedSplit:
        """What is only reported."""
        return self._part("val", centre_crop(self.image_size), None)

    @cached_property
    def _held_out(self) -> Parts:
        n = len(self._folder("train", None))
        return random_parts(n, self.split_seed, valid=min(n // 10, 50_000), test=0)

    def _part(self, name: str, transform: View, chosen: Integers | None) -> LoadedSplit:
        from torch.utils.data import Subset

        folder = self._folder(name, transform)
        part = folder if chosen is None else Subset(folder, chosen.tolist())
        return LoadedSplit(part, self.workers)

    def _folder(self, name: str, transform: View | None) -> Any:
        path = Path(self.root).expanduser() / name
        try:
            folder = torchvision().datasets.ImageFolder(path, transform=transform)
        except FileNotFoundError as error:
            raise UserError(f"ImageFolder finds no images in {path}: {error}") from error
        if len(folder.classes) != self.classes:
            raise UserError(
                f"{path} holds {len(folder.classes)} classes, ImageFolder.classes is {self.classes}"
            )
        return folder
