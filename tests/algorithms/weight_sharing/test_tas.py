"""TAS: pairs of widths, and that it finds the best ones; the rest is in `test_fbnetv2`."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from automl_algorithms.weight_sharing.gates import Gate, Interpolate
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.tas import TAS
from automl_spaces.objective import Objective

from .bandit import search
from .sizes import sized

GOAL = Objective("accuracy")
ROWS = [[0.2, 0.4, 0.9, 0.3, 0.1], [0.3, 0.8, 0.4, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4, 0.9]]


def pairs(logits: list[float], tau: float, draws: int) -> list[Interpolate]:
    """What one gate is set to, again and again."""
    tas = TAS()
    tas.setup(sized([[0.0] * len(logits)]), Task(GOAL))
    (gate,) = tas.sizes
    found = []
    for _ in range(draws):
        tas.soften(gate, torch.tensor(logits), tau)
        found.append(used(gate))
    return found


def used(gate: Gate) -> Interpolate:
    """The two widths of a gate."""
    use = gate.use()
    assert isinstance(use, Interpolate)
    return use


@pytest.mark.parametrize("tau", [10.0, 1.0, 0.1, 0.001])
def test_two_widths_always_differ(tau: float) -> None:
    """Also at low temperatures and of a decided policy, where one has all of the probability."""
    for use in pairs([0.0, 9.0, 0.0, 1.0], tau, 200):
        assert use.i != use.j
        assert use.q.sum().item() == pytest.approx(1)
        assert use.q.isfinite().all()


def test_at_high_temperatures_all_pairs_are_equally_likely_and_weighted() -> None:
    """Softmax of almost nothing."""
    found = pairs([2.0, 0.0, 0.0], 1e4, 3000)
    counts = Counter((use.i, use.j) for use in found)
    assert len(counts) == 6
    assert all(count == pytest.approx(500, abs=100) for count in counts.values())
    assert all(use.q.tolist() == pytest.approx([0.5, 0.5], abs=0.01) for use in found)


def test_at_low_temperatures_the_better_of_a_pair_is_a_sample_of_the_policy() -> None:
    """With the frequencies of softmax(alpha), by the Gumbel trick."""
    logits = [1.0, 0.0, -1.0, 0.5]
    found = pairs(logits, 0.05, 4000)
    better = Counter((use.i, use.j)[int(use.q.argmax())] for use in found)
    for place, chance in enumerate(torch.tensor(logits).softmax(0).tolist()):
        deviation = (chance * (1 - chance) / 4000) ** 0.5
        assert better[place] / 4000 == pytest.approx(chance, abs=4 * deviation)


def test_the_weights_of_a_pair_teach_its_widths() -> None:
    """A gradient reaches the logits of the two, of equal size and opposite sign."""
    tas = TAS()
    tas.setup(sized([[0.0] * 4]), Task(GOAL))
    (gate,) = tas.sizes
    (logits,) = tas.logits.parameters()
    tas.soften(gate, logits, 1.0)
    use = used(gate)
    (gradient,) = torch.autograd.grad(use.q[0], logits)
    assert gradient[use.i].item() == pytest.approx(-gradient[use.j].item())
    assert gradient[use.i] > 0
    others = [k for k in range(4) if k not in (use.i, use.j)]
    assert gradient[others].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_widths(seed: int) -> None:
    """Neither the narrowest nor the widest: where each row is best."""
    net = sized(ROWS, "mean")
    done = search(TAS(), net, 60, Task(GOAL, seed))
    for row, chances in zip(ROWS, done.policy().values(), strict=True):
        assert chances[row.index(max(row))] == max(chances) > 0.5
