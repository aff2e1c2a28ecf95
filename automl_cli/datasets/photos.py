"""Photographs of cars, flowers and places, as torchvision (the extra `vision`) reads them.

`root` is the folder in which each has the folder that its authors gave it. They are decoded while
they are used; training images are cropped at random and mirrored, see `vision`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cli.datasets.splits import Parts, random_parts
from automl_cli.datasets.vision import LoadedSplit, centre_crop, random_crop, torchvision
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.datasets.splits import Integers
    from automl_cli.datasets.vision import View
    from automl_cli.programs.contracts import Shape


class Photos(ABC):
    """What they share.

    Args:
        root: folder that holds the folder of the data set.
        image_size: height and width that the network sees.
        workers: processes that decode images.
        download: whether to fetch what is not there.
        split_seed: of the choice of images, where the authors do not make it.
    """

    classes: ClassVar[int]
    layout: ClassVar[str]  # what must be below root
    source: ClassVar[str]  # its name in torchvision

    def __init__(
        self, root: str, image_size: int, workers: int, download: bool, split_seed: int
    ) -> None:
        self.root, self.image_size, self.workers = root, image_size, workers
        self.download, self.split_seed = download, split_seed
        self.shape: Shape = (3, image_size, image_size)

    @property
    @abstractmethod
    def train(self) -> LoadedSplit:
        """What the weights are fitted to."""

    @property
    @abstractmethod
    def valid(self) -> LoadedSplit:
        """What a search is rewarded by."""

    @property
    @abstractmethod
    def test(self) -> LoadedSplit:
        """What is only reported."""

    def part(
        self, chosen: Integers | None = None, *, varied: bool = False, **options: Any
    ) -> LoadedSplit:
        """Some images of what torchvision reads.

        Args:
            chosen: positions; None for all.
            varied: whether they are cropped at random.
            options: for torchvision's class, such as its own split.
        """
        from torch.utils.data import Subset

        view = (random_crop if varied else centre_crop)(self.image_size)
        images = self.read(view, **options)
        part = images if chosen is None else Subset(images, chosen.tolist())
        return LoadedSplit(part, self.workers)

    def read(self, view: View | None = None, **options: Any) -> Any:
        """Torchvision's data set.

        Raises:
            UserError: when it is not there, or not whole.
        """
        source = getattr(torchvision().datasets, self.source)
        root = Path(self.root).expanduser()
        try:
            return source(root, transform=view, download=self.download, **options)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(
                f"{self.source} is not in {self.root}: {error}",
                hint=f"{self.root} must hold {self.layout}",
            ) from error


@register
class StanfordCars(Photos):
    """Stanford Cars (Krause et al. 2013): 196 models of cars.

    A seeded tenth of the 8,144 official training images validates; the official 8,041 test. They
    cannot be downloaded any more; torchvision needs scipy to read them.
    """

    classes: ClassVar[int] = 196
    source: ClassVar[str] = "StanfordCars"
    layout: ClassVar[str] = (
        "stanford_cars with cars_train, cars_test, devkit and cars_test_annos_withlabels.mat"
    )

    def __init__(
        self, root: str = "data", image_size: int = 224, workers: int = 2, split_seed: int = 0
    ) -> None:
        super().__init__(root, image_size, workers, False, split_seed)

    @cached_property
    def train(self) -> LoadedSplit:
        """What the weights are fitted to."""
        return self.part(self._held_out.train, varied=True, split="train")

    @cached_property
    def valid(self) -> LoadedSplit:
        """What a search is rewarded by."""
        return self.part(self._held_out.valid, split="train")

    @cached_property
    def test(self) -> LoadedSplit:
        """What is only reported."""
        return self.part(split="test")

    @cached_property
    def _held_out(self) -> Parts:
        n = len(self.read(split="train"))
        return random_parts(n, self.split_seed, valid=n // 10, test=0)


@register
class Flowers102(Photos):
    """Oxford Flowers (Nilsback and Zisserman 2008): 102 kinds of flowers.

    1,020 train, 1,020 validate, 6,149 test, as the authors say. Torchvision needs scipy.
    """

    classes: ClassVar[int] = 102
    source: ClassVar[str] = "Flowers102"
    layout: ClassVar[str] = (
        "flowers-102 with jpg, imagelabels.mat and setid.mat; download: true fetches it"
    )

    def __init__(
        self, root: str = "data", image_size: int = 224, workers: int = 2, download: bool = False
    ) -> None:
        super().__init__(root, image_size, workers, download, split_seed=0)

    @cached_property
    def train(self) -> LoadedSplit:
        """What the weights are fitted to."""
        return self.part(varied=True, split="train")

    @cached_property
    def valid(self) -> LoadedSplit:
        """What a search is rewarded by."""
        return self.part(split="val")

    @cached_property
    def test(self) -> LoadedSplit:
        """What is only reported."""
        return self.part(split="test")


@register
class SUN397(Photos):
    """SUN397 (Xiao et al. 2010): 108,754 photographs of 397 kinds of places.

    Seeded parts, as torchvision has none: a tenth validates, a fifth tests, the rest trains.
    """

    classes: ClassVar[int] = 397
    source: ClassVar[str] = "SUN397"
    layout: ClassVar[str] = (
        "SUN397 with ClassName.txt and a folder for each letter; download: true fetches it (37 GB)"
    )

    def __init__(
        self,
        root: str = "data",
        image_size: int = 224,
        workers: int = 2,
        download: bool = False,
        split_seed: int = 0,
    ) -> None:
        super().__init__(root, image_size, workers, download, split_seed)

    @cached_property
    def train(self) -> LoadedSplit:
        """What the weights are fitted to."""
        return self.part(self._parts.train, varied=True)

    @cached_property
    def valid(self) -> LoadedSplit:
        """What a search is rewarded by."""
        return self.part(self._parts.valid)

    @cached_property
    def test(self) -> LoadedSplit:
        """What is only reported."""
        return self.part(self._parts.test)

    @cached_property
    def _parts(self) -> Parts:
        import numpy as np

        files = self.read()._image_files  # as the file system lists them
        order = np.array(sorted(range(len(files)), key=lambda i: str(files[i])))
        drawn = random_parts(len(files), self.split_seed, len(files) // 10, len(files) // 5)
        return Parts(*(order[part] for part in drawn))
