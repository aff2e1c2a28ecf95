"""The controller of ENAS: an LSTM that decides one point after the other.

Pham et al. 2018 (arXiv 1802.03268), section 2.4. What it chose for the decision before is its
input for the next one, so that unlike independent logits it can learn which candidates go
together. A point that is inactive in the record so far is passed over, and what the slots before
it forbid a slot of a group has probability 0.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from automl_algorithms.weight_sharing.derivation import allowed, preferred
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.points import Point, Value
from automl_spaces.sampling import is_active

Decide = Callable[[Point, list[float]], int]
"""Takes a place for a point, given the probability of each of its places."""
HIDDEN = 32
LAYERS = 2
INIT = 0.1  # parameters begin uniform in +-0.1, as in the paper's section 3
TEMPERATURE, BOUND = 5.0, 2.5


class Walk(NamedTuple):
    """One way through the space.

    Args:
        decisions: the record.
        log_prob: of it, a scalar.
        entropy: the sum of those of its active points, in nats.
        chances: by the index of each active point, the probability of each of its places.
    """

    decisions: Decisions
    log_prob: Tensor
    entropy: float
    chances: dict[int, list[float]]


class Controller(nn.Module):
    """A distribution over the records of a supernet's space.

    Args:
        net: whose gates it decides.
        shared: points with the same candidates have one embedding and one classifier, as in the
            authors' code; otherwise each point has its own.
        generator: of the parameters.
    """

    def __init__(self, net: Supernet, shared: bool, generator: Generator) -> None:
        super().__init__()
        self.space, self.settled = net.space, net.settled
        kinds: dict[object, int] = {}
        sizes: list[int] = []
        self.kind: dict[int, int] = {}
        for index, gate in net.gates.items():
            key = gate.values if shared else index
            if key not in kinds:
                kinds[key] = len(kinds)
                sizes.append(gate.size)
            self.kind[index] = kinds[key]
        with torch.random.fork_rng(devices=[]):  # PyTorch's own draws, which are overwritten
            self.start = nn.Parameter(torch.empty(HIDDEN))
            self.lstm = nn.LSTM(HIDDEN, HIDDEN, LAYERS)
            self.embeddings = nn.ModuleList(nn.Embedding(size, HIDDEN) for size in sizes)
            self.classifiers = nn.ModuleList(nn.Linear(HIDDEN, size) for size in sizes)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -INIT, INIT, generator=generator)

    def forward(self, decide: Decide) -> Walk:
        """Go through the space, parents first."""
        values: list[Value] = []
        terms: list[Tensor] = []
        entropy, chances = 0.0, {}
        x, state = self.start, None
        for point in self.space.points:
            if not is_active(point, values):
                values.append(None)
                continue
            if point.index not in self.kind:
                values.append(self.settled[point.index])
                continue
            kind = self.kind[point.index]
            out, state = self.lstm(x[None], state)
            logits = bounded(self.classifiers[kind](out[0]))
            possible = allowed(point, values)
            if possible is not None:
                logits = logits.where(torch.tensor(possible), -torch.inf)
            scores = logits.log_softmax(0)
            p = scores.detach().exp()
            entropy += float(torch.special.entr(p).sum())
            chances[point.index] = p.tolist()
            place = decide(point, chances[point.index])
            terms.append(scores[place])
            values.append(point.at(place))
            x = self.embeddings[kind](torch.tensor(place))
        decisions = Decisions(self.space, tuple(values))
        return Walk(decisions, torch.stack(terms).sum(), entropy, chances)

    def sample(self, rng: random.Random) -> Walk:
        """A record drawn from the distribution."""
        walk: Walk = self(lambda _, chances: rng.choices(range(len(chances)), chances)[0])
        return walk

    @torch.no_grad()
    def greedy(self) -> Walk:
        """The most probable place at each point, given those before it."""
        walk: Walk = self(lambda _, chances: preferred(chances))
        return walk

    def of(self, decisions: Decisions) -> Walk:
        """A given record."""

        def place(point: Point, _: list[float]) -> int:
            value = decisions.values[point.index]
            assert value is not None  # the point is active
            return point.place(value)

        walk: Walk = self(place)
        return walk


def bounded(scores: Tensor) -> Tensor:
    """Logits that are never beyond +-2.5, so that nothing is ever decided for good."""
    return BOUND * torch.tanh(scores / TEMPERATURE)
