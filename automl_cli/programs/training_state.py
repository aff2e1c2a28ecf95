"""The state of a training in one file: tensors and numbers, never a pickled object."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import nn


class Training(Protocol):
    """What is kept of a training."""

    epoch: int
    seconds: float
    device: torch.device

    @property
    def model(self) -> nn.Module:
        """Whose weights and running statistics are kept."""
        ...

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Whose momenta are kept."""
        ...


def save_state(path: Path, training: Training) -> None:
    """Write beside the place and rename: a kill at any moment leaves a whole file."""
    temporary = path.with_suffix(".tmp")
    state = {
        "epoch": training.epoch,
        "seconds": training.seconds,
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict()["state"],
    }
    torch.save(state, temporary)
    temporary.replace(path)


def load_state(path: Path, training: Training) -> bool:
    """Go on from a file; False when there is none, or none that can be read.

    The optimiser's momenta come from the file, its hyperparameters do not: a checkpoint may be
    another trial's, taken over by one with other hyperparameters (population-based training).

    Raises:
        RuntimeError: when the file is a training of another architecture.
    """
    if not path.exists():
        return False
    try:
        state = torch.load(path, map_location=training.device, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        warnings.warn(f"{path} is broken, training starts anew: {error}", stacklevel=2)
        return False
    training.model.load_state_dict(state["model"])
    hyperparameters = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict(
        {"state": state["optimizer"], "param_groups": hyperparameters}
    )
    training.epoch, training.seconds = state["epoch"], state["seconds"]
    return True
