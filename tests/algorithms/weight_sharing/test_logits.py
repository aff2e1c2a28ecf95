"""A policy of independent categoricals: probabilities, gradients, groups, conditions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.derivation import log_probability
from automl_algorithms.weight_sharing.logits import Logits
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import manyof, oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import arm, casino, sequence
from .stepwise import sequential


def net_of(*layers: object) -> Supernet:
    """The supernet of a casino with these layers."""
    return lower(Space(casino(model=sequence(*layers))))


def nested() -> Supernet:
    """An outer choice, an inner one under its first candidate, and another one."""
    inner = sequential(oneof([arm(0.1), arm(0.2), arm(0.3)]))
    return net_of(oneof([inner, arm(0.3)]), oneof([arm(0.0), arm(1.0)]))


class Sum(nn.Module):
    """Layers in a list."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        result: Tensor = self.layers(x)
        return result


def subset() -> Supernet:
    """Two different ones of four, in order."""
    arms = [arm(float(i)) for i in range(4)]
    return lower(Space(casino(model=symbolize(Sum)(layers=manyof(2, arms)))))


def drawn(net: Supernet) -> Logits:
    """A policy that is not uniform."""
    return Logits(net, 1.0, torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("make", "size"), [(nested, 8), (subset, 12)])
def test_probabilities_of_all_records_sum_to_one(make: Callable[[], Supernet], size: int) -> None:
    """With inactive decisions left out, and what the slots before forbid."""
    logits = drawn(make())
    records = list(logits.net.space.enumerate())
    chances = [logits.log_prob(each).exp().item() for each in records]
    assert len(records) == size
    assert sum(chances) == pytest.approx(1)
    policy = logits.probabilities()
    for record, chance in zip(records, chances, strict=True):
        assert log_probability(policy, record) == pytest.approx(torch.tensor(chance).log().item())


def test_samples_are_as_frequent_as_their_probability() -> None:
    """Within three standard deviations."""
    logits, rng, n = drawn(nested()), random.Random(0), 4000
    counts = Counter(logits.sample(rng) for _ in range(n))
    for record in logits.net.space.enumerate():
        chance = logits.log_prob(record).exp().item()
        assert abs(counts[record] - n * chance) < 3 * (n * chance * (1 - chance)) ** 0.5


def test_the_gradient_of_the_logarithm_is_one_hot_minus_probabilities() -> None:
    """For active decisions; none for the others."""
    logits = drawn(nested())
    record = next(r for r in logits.net.space.enumerate() if r.values[1] is None)
    grads = torch.autograd.grad(logits.log_prob(record), logits.parameters(), allow_unused=True)
    for point, grad in zip(logits.net.space.points, grads, strict=True):
        value = record.values[point.index]
        if value is None:
            assert grad is None
            continue
        expected = -logits.of[point.index].softmax(0).detach()
        expected[point.place(value)] += 1
        assert grad == pytest.approx(expected)


def test_a_state_is_kept_in_a_file(tmp_path: Path) -> None:
    """As tensors."""
    logits = drawn(nested())
    torch.save(logits.state_dict(), tmp_path / "logits.pt")
    again = Logits(logits.net)
    again.load_state_dict(torch.load(tmp_path / "logits.pt", weights_only=True))
    assert again.probabilities() == logits.probabilities()
    assert all(each.requires_grad for each in again.parameters())
