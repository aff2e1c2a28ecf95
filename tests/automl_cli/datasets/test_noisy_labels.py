"""Wrong labels: how many, in which part, and always the same ones."""

from __future__ import annotations

import pytest
import torch

from automl_cli.datasets.digits import Digits
from automl_cli.datasets.noisy_labels import NoisyLabels
from automl_cli.datasets.opinions import Opinions
from automl_spaces.errors import UserError


@pytest.mark.parametrize("data", [Digits(), Opinions()])
def test_a_share_of_the_training_labels_is_drawn_anew(data: Digits | Opinions) -> None:
    """The images and the other parts stay, and so does the data set that was given."""
    before = data.train.labels.clone()
    noisy = NoisyLabels(data, share=0.4)
    labels = torch.cat([batch for _, batch in noisy.train.batches(100)])
    wrong = float((labels != before).float().mean())
    assert wrong == pytest.approx(0.4 * (1 - 1 / data.classes), abs=0.05)
    assert torch.equal(data.train.labels, before)
    assert noisy.valid is data.valid
    assert noisy.test is data.test
    assert (noisy.shape, noisy.classes) == (data.shape, data.classes)
    inputs, _ = next(noisy.train.batches(100))
    assert torch.equal(inputs, next(data.train.batches(100))[0])


def test_the_noise_follows_its_seed() -> None:
    """Equal for all trials of a study; share 0 is none."""

    def labels(**options: float) -> torch.Tensor:
        return next(NoisyLabels(Digits(), **options).train.batches(2000))[1]  # type: ignore[arg-type]

    assert torch.equal(labels(), labels())
    assert not torch.equal(labels(), labels(seed=1))
    assert torch.equal(labels(share=0.0), Digits().train.labels)


def test_wrong_use_is_told() -> None:
    """A share that is none; a data set that is not in memory."""
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        NoisyLabels(Digits(), share=2)

    class Streamed:
        shape, classes, train = (1, 8, 8), 10, object()

    with pytest.raises(UserError, match="labels of Streamed are not in memory"):
        NoisyLabels(Streamed()).train  # type: ignore[arg-type]
