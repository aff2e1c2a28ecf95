"""Every search of topologies end to end: it finds networks that do what others cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.space import Space

from .stripes import searched

SKIPS = 1  # the place of a skip connection
CONVOLUTION = 3  # of the 3 x 3 convolution


def from_scratch(space: Space, record: Decisions) -> float:
    """The accuracy of its network."""
    torch.manual_seed(0)
    accuracy: float = space.materialise(record).build().trained()
    return accuracy


def ended(space: Space, name: str, options: dict[str, Any]) -> Decisions:
    """What a search ends with."""
    torch.manual_seed(0)
    search = catalogue.load(name)(**options)
    loop = Loop(lower(space, seed=0), search, Task(Objective("accuracy")))
    for _ in loop:
        pass
    found: Decisions = next(iter(search.derive(loop.feed.valid)))
    return found


def test_without_the_convolution_there_is_nothing_but_guesses() -> None:
    """Skips, poolings and 1 x 1 convolutions are blind to what the task asks for."""
    space = Space(searched())
    assert [point.cardinality for point in space.points] == [5, 5, 5]
    for places in ((SKIPS, SKIPS, SKIPS), (2, 4, 2)):
        assert abs(from_scratch(space, Decisions(space, places)) - 0.5) < 0.08
    assert from_scratch(space, Decisions(space, (SKIPS, SKIPS, CONVOLUTION))) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rsps", {}),
        ("enas", {}),
        ("tunas", {}),
        ("setn", {}),
        ("gdas", {}),
        ("gdas", {"gradient": "sum"}),
        ("gdas", {"gradient": "selected"}),
        ("darts", {}),
        ("darts", {"order": 2}),
    ],
)
def test_a_search_ends_with_the_convolution(name: str, options: dict[str, Any]) -> None:
    """Trained from scratch its network is far better than a guess, which all skips are."""
    space = Space(searched())
    record = ended(space, name, options)
    assert from_scratch(space, record) > 0.75, record.as_dict()
