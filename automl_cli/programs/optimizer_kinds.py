"""Optimisers of one network that take turns: each kind keeps its momenta while it is not in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from automl_cli.programs.contracts import OptimizerSpec


class OptimizerKinds:
    """One optimiser of each kind that was asked for so far.

    Args:
        parameters: of the network.
        spec: of the optimiser to begin with.

    Attributes:
        current: the one in use.
        factor: of its learning rates: a schedule's, as far as it is.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], spec: OptimizerSpec) -> None:
        self._parameters = list(parameters)
        self._kinds: dict[str, Optimizer] = {}
        self._unused: dict[str, Any] = {}  # states of kinds that nobody has asked for again
        self.factor = 1.0
        self.current: Optimizer
        self.adopt(spec)

    def adopt(self, spec: OptimizerSpec) -> None:
        """Go on with other hyperparameters; with the same momenta if the kind is the same."""
        made = spec(self._parameters)
        wanted = [{k: v for k, v in g.items() if k != "params"} for g in made.param_groups]
        kind = type(made).__name__
        self.current = self._kinds.setdefault(kind, made)
        if kind in self._unused:
            self.current.load_state_dict(self._unused.pop(kind))  # its hyperparameters are old
        for group, new in zip(self.current.param_groups, wanted, strict=True):
            group.update(new, initial_lr=new["lr"])
        self.scale(self.factor)

    def scale(self, factor: float) -> None:
        """Set the learning rate of each group to a share of its full one, `initial_lr`."""
        self.factor = factor
        for group in self.current.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def state_dict(self) -> dict[str, Any]:
        """The state of each kind, by its name."""
        return self._unused | {kind: each.state_dict() for kind, each in self._kinds.items()}

    def load_state_dict(self, states: dict[str, Any]) -> None:
        """Go on from these states; of kinds not yet in use when they are."""
        self._unused = {kind: s for kind, s in states.items() if kind not in self._kinds}
        for kind, optimizer in self._kinds.items():
            if kind in states:
                optimizer.load_state_dict(states[kind])
