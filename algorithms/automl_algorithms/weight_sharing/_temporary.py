"""A training that can be undone: weights, buffers and the optimiser's state as they were before.

Only what a step touches is copied, and nothing is copied back: the step works on the copies, and
the originals return untouched. So it costs one copy of the weights of a path and of their
momenta, and is exact, bit for bit, for any optimiser of PyTorch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

GROWTH = 10.0
"""Of the norm of all weights that a training touches, at most; more, and they are ruined."""


class Temporary:
    """Within it the optimiser trains copies; at its end these are gone, unless `keep` was called.

    Gradients are none of its business: those of the last training stay.

    Args:
        model: whose weights and buffers return.
        optimizer: of these weights; the only one that is used meanwhile. Its groups are as they
            are set.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        self._weights: dict[Tensor, Tensor] = {}  # the original data of each that was touched
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._states: dict[Tensor, dict[str, Any] | None] = {}

    def __enter__(self) -> Temporary:
        # A forward pass changes buffers before anybody knows which.
        self._buffers = [(buffer, buffer.data) for buffer in self.model.buffers()]
        for buffer, data in self._buffers:
            buffer.data = data.clone()
        self._hook = self.optimizer.register_step_pre_hook(lambda *_: self._set_aside())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hook.remove()
        for tensor, data in [*self._weights.items(), *self._buffers]:
            tensor.data = data
        for weight, state in self._states.items():
            if state is None:
                self.optimizer.state.pop(weight, None)
            else:
                self.optimizer.state[weight] = state

    def keep(self) -> None:
        """What was trained so far is for good."""
        self._weights, self._buffers, self._states = {}, [], {}

    def sane(self) -> bool:
        """Whether all weights that were trained are finite, and did not grow beyond measure."""
        norm = torch.nn.utils.get_total_norm
        before, after = norm(list(self._weights.values())), norm(list(self._weights))
        return bool(after <= GROWTH * (before + 1))  # false for what is not a number

    def _set_aside(self) -> None:
        """Before a step: only weights with a gradient are changed, and their states."""
        state = self.optimizer.state
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is None or weight in self._weights:
                    continue
                self._weights[weight] = weight.data
                weight.data = weight.data.clone()
                self._states[weight] = known = state.get(weight)
                if known is not None:
                    state[weight] = copied(known)


def copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimiser's state of one weight, of which nothing is shared with the original."""
    return {
        key: value.clone() if isinstance(value, Tensor) else copy.deepcopy(value)
        for key, value in state.items()
    }
