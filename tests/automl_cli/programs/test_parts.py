"""The small parts of a training: augmentation, optimisers, schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_cli.programs.augment import Cutout, Flip, Mixup, Shift
from automl_cli.programs.optimizers import SGD, Adam, AdamW, RMSProp
from automl_cli.programs.schedules import rate_factor
from automl_cli.shipped import register_shipped
from automl_spaces import registry

IMAGES = torch.arange(6 * 2 * 8 * 8, dtype=torch.float32).reshape(6, 2, 8, 8)
TARGETS = torch.eye(6)


def changed(augment: Any, seed: int = 0, images: Tensor = IMAGES) -> tuple[Tensor, Tensor]:
    """A batch after an augmentation with a seed."""
    images, targets = augment(images, TARGETS, torch.Generator().manual_seed(seed))
    return images, targets


@pytest.mark.parametrize("augment", [Shift(2), Flip(0.5), Cutout(4), Mixup(0.5)], ids=repr)
def test_augmentation_follows_the_generator(augment: Any) -> None:
    """The same seed, the same batch; shapes stay; the original is untouched."""
    before = IMAGES.clone()
    images, targets = changed(augment)
    assert torch.equal(images, changed(augment)[0])
    assert any(not torch.equal(images, changed(augment, seed)[0]) for seed in range(1, 5))
    assert (images.shape, targets.shape) == (IMAGES.shape, TARGETS.shape)
    assert torch.equal(IMAGES, before)


@pytest.mark.parametrize("augment", [Shift(0), Flip(0.0), Cutout(0), Mixup(0.0)], ids=repr)
def test_strength_zero_is_the_identity(augment: Any) -> None:
    """A search may turn an augmentation off."""
    images, targets = changed(augment)
    assert torch.equal(images, IMAGES)
    assert torch.equal(targets, TARGETS)


def test_shift_moves_each_image_by_whole_pixels() -> None:
    """The inside of every image is found in the original at one of 25 places."""
    images, _ = changed(Shift(2))
    offsets = set()
    for image, original in zip(images, IMAGES, strict=True):
        inside = image[:, 2:6, 2:6]
        places = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(original[:, 2 + dy : 6 + dy, 2 + dx : 6 + dx], inside)
        ]
        assert len(places) == 1
        offsets.update(places)
    assert len(offsets) > 1
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_flip_mirrors_whole_images() -> None:
    """Each image is itself or its mirror image; with probability 1 all are mirrored."""
    images, _ = changed(Flip(0.5))
    for image, original in zip(images, IMAGES, strict=True):
        assert torch.equal(image, original) or torch.equal(image, original.flip(2))
    assert torch.equal(changed(Flip(1.0))[0], IMAGES.flip(3))


def test_cutout_blanks_one_square() -> None:
    """At most `size` squared pixels of each image, the same in all channels, at any place."""
    images, _ = changed(Cutout(4), images=torch.ones(6, 2, 8, 8))
    blank = images == 0
    assert torch.equal(blank[:, 0], blank[:, 1])
    areas = blank[:, 0].sum((1, 2))
    assert areas.max() <= 16
    assert areas.min() >= 4  # a centre in the corner leaves a quarter


def test_mixup_blends_images_and_targets_alike() -> None:
    """Targets tell the shares; the images are blended by them."""
    images, targets = changed(Mixup(1.0))
    assert targets.sum(1) == pytest.approx(torch.ones(6))
    assert torch.allclose(images, torch.einsum("nk,kchw->nchw", targets, IMAGES), atol=1e-3)


@pytest.mark.parametrize(
    ("spec", "kind", "expected"),
    [
        (SGD(0.1, 0.9, 1e-4, True), torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (Adam(0.1, beta1=0.5, weight_decay=1e-4), torch.optim.Adam, {"betas": (0.5, 0.999)}),
        (AdamW(0.1, weight_decay=1e-4), torch.optim.AdamW, {"betas": (0.9, 0.999)}),
        (RMSProp(0.1, 0.9, weight_decay=1e-4), torch.optim.RMSprop, {"alpha": 0.9}),
    ],
)
def test_optimisers_are_what_they_say(spec: Any, kind: type, expected: dict[str, Any]) -> None:
    """Class and hyperparameters arrive at PyTorch."""
    optimizer = spec(nn.Linear(2, 2).parameters())
    assert type(optimizer) is kind
    assert isinstance(optimizer, torch.optim.Optimizer)
    [group] = optimizer.param_groups
    expected = expected | {"lr": 0.1, "weight_decay": 1e-4}
    assert {k: group[k] for k in expected} == expected


def test_schedules() -> None:
    """Golden values: linear warm-up, then half a cosine, or constant."""
    cosine = [rate_factor("cosine", p / 4, 0.0) for p in range(5)]
    assert cosine == pytest.approx([1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)
    warm = [rate_factor("cosine", p, 0.2) for p in (0.0, 0.1, 0.2, 0.6, 1.0)]
    assert warm == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [rate_factor("constant", p, 0.5) for p in (0.25, 0.5, 1.0)] == [0.5, 1, 1]


def test_every_shipped_name_is_found_with_its_signature() -> None:
    """Names and signatures are read from the text: the form of the code allows it."""
    register_shipped()
    shipped = {
        "AdamW": "weight_decay",
        "Classifier": "label_smoothing",
        "Command": "result_file",
        "CIFAR10": "root",
        "ColourMNIST5k": "split_seed",
        "Cutout": "size",
        "Digits": "split_seed",
        "DropPath": "rate",
        "EfficientNet": "drop_path",
        "Flowers102": "download",
        "FusedInvertedResidual": "groups",
        "ImageFolder": "image_size",
        "InvertedResidual": "multiplier",
        "MBConv": "squeeze_excite",
        "MobileNetV2": "stem_stride",
        "NoisyLabels": "share",
        "Opinions": "seed",
        "RMSProp": "decay",
        "SUN397": "split_seed",
        "Shift": "pixels",
        "StanfordCars": "root",
        "TextEncoder": "vocabulary",
    }
    for name, parameter in shipped.items():
        assert parameter in registry.resolve(name).signature.params, name
    folder = Path(__file__).parents[3] / "automl_cli" / "programs"
    assert "import" not in (folder / "__init__.py").read_text()
