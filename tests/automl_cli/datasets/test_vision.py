"""Data sets of torchvision, with a stand-in for it: splits, messages, what is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from automl_cli.datasets.vision import CIFAR10, CIFAR100, ImageFolder
from automl_spaces.errors import UserError


class FakeCIFAR:
    """Sixty training and twelve test images; each pixel is the number of its image."""

    def __init__(self, root: Path, train: bool, download: bool) -> None:
        if "missing" in str(root) and not download:
            raise RuntimeError("Dataset not found or corrupted.")
        numbers = range(60) if train else range(60, 72)
        self.data = np.stack([np.full((32, 32, 3), i, "uint8") for i in numbers])
        self.targets = [i % 10 for i in numbers]


class FakeFolder:
    """Forty images in two classes; a transform is called with the number of the image."""

    classes = ("cat", "dog")

    def __init__(self, path: Path, transform: Any) -> None:
        if "missing" in str(path):
            raise FileNotFoundError("no such folder")
        self.path, self.transform = path, transform

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(float(i)), i % 2


class FakeTransform:
    """Turns a number into an image of it; remembers how it was made."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __call__(self, number: float) -> torch.Tensor:
        """An image of the number."""
        return torch.full((3, 4, 4), number)


@pytest.fixture
def _torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = ModuleType("torchvision")
    parts = {
        "datasets": SimpleNamespace(CIFAR10=FakeCIFAR, CIFAR100=FakeCIFAR, ImageFolder=FakeFolder),
        "transforms": SimpleNamespace(
            **dict.fromkeys(
                [
                    "RandomResizedCrop",
                    "RandomHorizontalFlip",
                    "Resize",
                    "CenterCrop",
                    "ToTensor",
                    "Normalize",
                    "Compose",
                ],
                FakeTransform,
            )
        ),
    }
    monkeypatch.setitem(sys.modules, "torchvision", kit)
    for name, part in parts.items():
        setattr(kit, name, part)
        monkeypatch.setitem(sys.modules, f"torchvision.{name}", part)


@pytest.mark.usefixtures("_torchvision")
@pytest.mark.parametrize("dataset", [CIFAR10, CIFAR100])
def test_cifar_keeps_its_official_test_part(dataset: type[CIFAR10]) -> None:
    """A tenth of the training images validates; the test images are the official ones."""
    data = dataset(root="data")
    assert (len(data.train), len(data.valid), len(data.test)) == (54, 6, 12)
    assert data.test.images[:, 0, 0, 0].tolist() == list(range(60, 72))
    held = {int(i) for part in (data.train, data.valid) for i in part.images[:, 0, 0, 0]}
    assert held == set(range(60))
    assert data.train.images.shape[1:] == dataset.shape


@pytest.mark.usefixtures("_torchvision")
def test_cifar_is_downloaded_on_request_only() -> None:
    """Without the request the message says how to make it."""
    with pytest.raises(UserError, match="download: true"):
        CIFAR10(root="missing").train
    assert len(CIFAR10(root="missing", download=True).train) == 54


@pytest.mark.usefixtures("_torchvision")
def test_image_folder_parts_are_disjoint() -> None:
    """Training and validation share the folder `train` and no image; `val` is the test part."""
    data = ImageFolder("images", classes=2, image_size=4, workers=0)
    assert (len(data.train), len(data.valid), len(data.test)) == (36, 4, 40)
    seen = {
        name: {float(i) for images, _ in part.batches(8) for i in images[:, 0, 0, 0]}
        for name, part in (("train", data.train), ("valid", data.valid))
    }
    assert seen["train"] | seen["valid"] == set(map(float, range(40)))
    assert not seen["train"] & seen["valid"]
    assert data.shape == (3, 4, 4)


@pytest.mark.usefixtures("_torchvision")
def test_image_folder_shuffles_by_the_generator() -> None:
    """The same seed gives the same order; a last batch can be left out."""
    part = ImageFolder("images", classes=2, workers=0).train

    def order(seed: int) -> list[float]:
        generator = torch.Generator().manual_seed(seed)
        batches = part.batches(5, generator, drop_last=True)
        return [float(i) for images, _ in batches for i in images[:, 0, 0, 0]]

    assert len(order(0)) == 35
    assert order(0) == order(0) != order(1)


@pytest.mark.usefixtures("_torchvision")
def test_image_folder_faults_are_told() -> None:
    """A folder that is not there, and another number of classes than the recipe says."""
    with pytest.raises(UserError, match="finds no images"):
        ImageFolder("missing", classes=2).train
    with pytest.raises(UserError, match=r"holds 2 classes, ImageFolder.classes is 1000"):
        ImageFolder("images").test


def test_a_torchvision_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Absent (ImportError) or broken (RuntimeError on import): what to install is said."""
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match=r"automl-cli\[vision\]"):
        CIFAR10().train
