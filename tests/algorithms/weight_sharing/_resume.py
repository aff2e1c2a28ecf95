"""That a search goes on bit for bit from any of its states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from automl_algorithms.weight_sharing.loop import Loop, Record
from automl_algorithms.weight_sharing.search import SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_spaces import oneof
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .stepwise import conv, identity, norm, pool, sequential
from .test_loop import Noisy


def assert_resumes(make: Callable[[], SupernetSearch], folder: Path) -> None:
    """Within an epoch, at its end, in the second one; through a file without pickled objects.

    The program has noisy batches, dropout, momentum and batch normalisation.
    """
    whole = _loop(make)
    expected = [_seen(record) for record in whole]
    assert len(expected) == 10
    for stop in (0, 3, 4, 7):
        first = _loop(make)
        next(record for i, record in enumerate(first) if i == stop)
        torch.save(first.state_dict(), folder / "state.pt")
        torch.rand(7)  # another process has another global generator
        again = _loop(make)
        again.load_state_dict(torch.load(folder / "state.pt", weights_only=True))
        assert [_seen(record) for record in again] == expected[stop + 1 :]
        after, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
        assert all(torch.equal(after[key], wanted[key]) for key in wanted)


def _loop(make: Callable[[], SupernetSearch]) -> Loop:
    edges = (oneof([conv(3, 3, 3, padding=1), identity(), pool(3, 1, padding=1)]) for _ in range(2))
    net = lower(
        Space(
            symbolize(Noisy)(model=sequential(*edges, norm(3), symbolize(nn.Tanh)(), conv(3, 3, 1)))
        )
    )
    net.program.optimizer.param_groups[0]["momentum"] = 0.9
    return Loop(net, make(), Task(Objective("loss", "minimize"), seed=3))


def _seen(record: Record) -> tuple[object, ...]:
    return record.metrics, record.policy
