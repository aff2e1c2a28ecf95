"""Photographs as torchvision reads them: tiny data sets on disk, in the formats of their authors.

These tests need torchvision; without it they are skipped, but for the one that says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from automl_cli.datasets.photos import SUN397, Flowers102, Photos, StanfordCars
from automl_spaces.errors import UserError


@pytest.fixture
def vision() -> ModuleType:
    """Torchvision, where it fits PyTorch."""
    try:
        import torchvision.datasets
    except Exception as error:  # noqa: BLE001 - a wheel that does not fit raises anything
        pytest.skip(f"needs torchvision: {error}")
    return torchvision  # type: ignore[no-any-return]


def image(path: Path, value: int) -> None:
    """A picture of one colour, wider than high."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 60, 3), value, "uint8")).save(path)


def cars(root: Path) -> None:
    """Twenty for training and six for testing, of three models."""
    from scipy.io import savemat

    base = root / "stanford_cars"
    kinds = [("f4", "bbox_x1"), ("O", "class"), ("O", "fname")]
    dtype = [(name, kind) for kind, name in kinds]
    for folder, n, mat in (
        ("cars_train", 20, "devkit/cars_train_annos.mat"),
        ("cars_test", 6, "cars_test_annos_withlabels.mat"),
    ):
        rows = np.zeros(n, dtype)
        for i in range(n):
            rows[i] = (1.0, 1 + i % 3, f"{i:05d}.jpg")
            image(base / folder / f"{i:05d}.jpg", i * 10)
        (base / mat).parent.mkdir(exist_ok=True)
        savemat(base / mat, {"annotations": rows})
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array(["a", "b", "c"], "O")})


def flowers(root: Path) -> None:
    """Twelve of two kinds: four each to train, validate and test."""
    from scipy.io import savemat

    base = root / "flowers-102"
    for i in range(1, 13):
        image(base / "jpg" / f"image_{i:05d}.jpg", i * 10)
    savemat(base / "imagelabels.mat", {"labels": np.arange(12) % 2 + 1})
    savemat(
        base / "setid.mat",
        {"trnid": np.arange(1, 5), "valid": np.arange(5, 9), "tstid": np.arange(9, 13)},
    )


def places(root: Path) -> None:
    """Thirty of two kinds, one of them in a folder of its own kind."""
    base = root / "SUN397"
    for i in range(30):
        kind = ("a/abbey", "b/bar/outdoor")[i % 2]
        image(base / kind / f"sun_{i:04d}.jpg", i * 8)
    (base / "ClassName.txt").write_text("/a/abbey\n/b/bar/outdoor\n")


@pytest.fixture
def _no_checksums(vision: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small files are not those that the authors published."""
    monkeypatch.setattr(vision.datasets.flowers102, "check_integrity", lambda path, md5: True)


SETS: list[tuple[Any, Any, tuple[int, int, int]]] = [
    (StanfordCars, cars, (18, 2, 6)),
    (Flowers102, flowers, (4, 4, 4)),
    (SUN397, places, (21, 3, 6)),
]


@pytest.mark.usefixtures("_no_checksums")
@pytest.mark.parametrize(("dataset", "write", "sizes"), SETS)
def test_parts(dataset: Any, write: Any, sizes: tuple[int, int, int], tmp_path: Path) -> None:
    """Their sizes, batches of images and labels, and no image in two parts."""
    write(tmp_path)
    data: Photos = dataset(str(tmp_path), image_size=16, workers=0)
    parts = data.train, data.valid, data.test
    assert tuple(map(len, parts)) == sizes
    assert data.shape == (3, 16, 16)
    seen: list[tuple[float, ...]] = []
    for part in parts[:2]:
        for images, labels in part.batches(5):
            assert images.shape[1:] == data.shape
            assert images.dtype.is_floating_point
            assert ((labels >= 0) & (labels < 3)).all()
            seen += [tuple(round(float(c), 3) for c in each[:, 8, 8]) for each in images]
    assert len(set(seen)) == len(seen) == sizes[0] + sizes[1]  # every image has its own colour


@pytest.mark.usefixtures("_no_checksums")
def test_labels_begin_with_zero(tmp_path: Path) -> None:
    """The authors of cars and flowers count from one."""
    cars(tmp_path)
    flowers(tmp_path)
    for dataset, kinds in ((StanfordCars, 3), (Flowers102, 2)):
        data = dataset(str(tmp_path), image_size=16, workers=0)
        labels = [int(i) for _, batch in data.test.batches(8) for i in batch]
        assert set(labels) == set(range(kinds))


def test_the_parts_of_places_do_not_follow_the_file_system(
    vision: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which lists its files in any order; another seed gives other parts."""
    places(tmp_path)

    def validated(seed: int = 0) -> set[str]:
        part = SUN397(str(tmp_path), image_size=16, split_seed=seed).valid.dataset
        return {part.dataset._image_files[i].name for i in part.indices}

    first = validated()
    assert validated(seed=1) != first
    monkeypatch.setattr(
        Path, "rglob", lambda self, pattern: sorted(self.glob(f"**/{pattern}"), reverse=True)
    )
    assert validated() == first


@pytest.mark.usefixtures("vision")
@pytest.mark.parametrize(("dataset", "_write", "_sizes"), SETS)
def test_what_is_missing_is_told(dataset: Any, _write: Any, _sizes: Any, tmp_path: Path) -> None:
    """With the folder, and what it must hold; nothing is downloaded."""
    with pytest.raises(UserError, match=rf"{dataset.source} is not in .*[Nn]ot found") as caught:
        dataset(str(tmp_path)).train
    assert dataset.layout.split()[0] in str(caught.value)


def test_torchvision_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said; shape and classes are known without it."""
    monkeypatch.setitem(sys.modules, "torchvision", None)
    data = SUN397(image_size=64)
    assert (data.shape, data.classes) == ((3, 64, 64), 397)
    with pytest.raises(UserError, match=r"automl-cli\[vision\]"):
        data.train
