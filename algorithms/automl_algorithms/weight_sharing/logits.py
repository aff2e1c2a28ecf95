"""A policy of independent categorical distributions: a vector of logits per gate."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from automl_algorithms.weight_sharing import derivation
from automl_algorithms.weight_sharing.derivation import Policy, allowed
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions


class Logits:
    """The logits of every gate of a supernet, to be trained.

    Args:
        net: whose gates they are for.
        scale: standard deviation that they begin with; 0 is a uniform policy.
        generator: of what they begin with.

    Attributes:
        of: float32 [size] with a gradient, by the index of the gate's point.
    """

    def __init__(
        self, net: Supernet, scale: float = 0.0, generator: Generator | None = None
    ) -> None:
        self.net = net
        self.of: dict[int, Tensor] = {
            index: (scale * torch.randn(gate.size, generator=generator)).requires_grad_()
            for index, gate in net.gates.items()
        }

    def parameters(self) -> list[Tensor]:
        """In the order of `of`."""
        return list(self.of.values())

    def probabilities(self) -> Policy:
        """As numbers, by the index of the gate's point."""
        return {index: logits.softmax(0).tolist() for index, logits in self.of.items()}

    def sample(self, rng: random.Random) -> Decisions:
        """A record drawn from the policy, constraints of groups included."""
        return derivation.sample(self.net.space, self.probabilities(), rng, self.net.settled)

    def log_prob(self, decisions: Decisions, among: Collection[int] | None = None) -> Tensor:
        """The logarithm of a record's probability, a scalar: a sum over its active points.

        So a decision that does not count in a record has no part in it (TuNAS, Bender et al.
        2020, appendix A).

        Args:
            among: the indices of the points that have a part in it; None: all.
        """
        terms = []
        for index, logits in self.of.items():
            value = decisions.values[index]
            if value is None or (among is not None and index not in among):
                continue
            point = self.net.space.points[index]
            possible = allowed(point, decisions.values)
            if possible is not None:
                logits = logits.where(torch.tensor(possible), -torch.inf)  # noqa: PLW2901
            terms.append(logits.log_softmax(0)[point.place(value)])
        return torch.stack(terms).sum() if terms else torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        """The logits, by index."""
        return {str(index): logits.detach() for index, logits in self.of.items()}

    @torch.no_grad()
    def set(self, to: Mapping[int, Tensor]) -> None:
        """Have other logits, by index."""
        for index, logits in self.of.items():
            logits.copy_(to[index])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.set({index: state[str(index)] for index in self.of})
