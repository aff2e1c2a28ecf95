"""A supernet is tried out on one batch before anything of a study is written."""

from __future__ import annotations

import random
from typing import Any

import torch

from automl_algorithms.weight_sharing.norms import batch_statistics
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces.errors import AutomlError, Mark, UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space


def checked_supernet(
    space: Space, seed: int, objective: Objective, mark: Mark | None = None
) -> Supernet:
    """The supernet of a space, every candidate of which has gone through a batch once.

    Its program stands where it begins, and so does PyTorch's random generator.

    Args:
        mark: where the objective is written.

    Raises:
        UserError: the program cannot be taken apart, candidates do not fit together, or
            `evaluate` does not give the metric of the objective.
    """
    net = lower(space, seed=seed)
    with torch.random.fork_rng(devices=[]):
        try:
            found = _try_out(net, random.Random(seed))
        except AutomlError:
            raise
        except Exception as error:
            where = "; ".join(getattr(error, "__notes__", ()))
            what = f"the supernet fails: {type(error).__name__}: {error}"
            raise UserError(what, path=where) from error
    if objective.metric not in found:
        raise UserError(
            f"evaluate() does not give {objective.metric}, but {', '.join(found)}",
            mark,
            path="objective",
            hint="a search by weight sharing is rewarded by what evaluate() gives",
        )
    if not hasattr(net.program, "seek"):  # what was taken cannot be given back
        return lower(space, seed=seed)
    net.program.seek(0, 0)
    return net


def _try_out(net: Supernet, rng: random.Random) -> dict[str, float]:
    """What `evaluate` gives for a random record, after all candidates had their turn."""
    program = net.program
    net.check(_first(program, "train_batches"))
    net.choose(net.space.sample(rng))
    training = program.model.training
    with torch.no_grad(), batch_statistics(program.model):
        found: dict[str, float] = program.evaluate([_first(program, "valid_batches")])
    program.model.train(training)
    for gate in net.gates.values():
        gate.reset()
    return found


def _first(program: Any, name: str) -> Any:
    for batch in getattr(program, name)():
        return batch
    raise UserError(f"{name}() gives no batch", path="program")
