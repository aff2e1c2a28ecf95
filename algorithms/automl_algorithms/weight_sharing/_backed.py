"""What a policy gradient ends with: the static program, changed as far as qualities back it.

A policy settles in every decision, in most of them by chance, and a network of thirty decisions
that were made by chance is a random network. The program that the user began with is seldom one.
Nor need any single decision be clear where all of them together are: of twenty that are each better
by one standard error, the sum is better by more than four. So a record is looked for that gains the
most over the static program if it gains less than it seems to by so many standard errors of the
whole gain, and within the costs that are wanted: its lower confidence bound.

The way there is local search, over one change at a time, and over two where one is not enough: one
may have to pay for the other. It is gone twice: from the static program, and from what seems best
if nothing is doubted, because the first of many small changes is not backed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import torch

from automl_algorithms.weight_sharing._effects import Effects
from automl_algorithms.weight_sharing.derivation import Policy, Settled, argmax, one_hot, preferred
from automl_spaces.decisions import Decisions

DOUBT: Final = 4.0
"""Standard errors by which a gain is less than it seems to be. They tell of noise alone, not of how
otherwise shared weights judge than trainings do."""
TRIED: Final = 256  # pairs of changes whose costs are computed, at most, in one step of the search
LEAST: Final = 1e-9  # of a gain: less is rounding

Places = dict[int, int]


class Backed:
    """Looks for that record.

    Args:
        static: the record of the static program.
        policy: of every gate. Decisions that the static program does not have, below a candidate of
            another, are made by it: at its most probable candidate.
        effects: of the candidates.
        meets: whether the costs of a record are those that are wanted.
        settled: decisions that are made already.
    """

    def __init__(
        self,
        static: Decisions,
        policy: Policy,
        effects: Effects,
        meets: Callable[[Decisions], bool],
        settled: Settled,
    ) -> None:
        self.static, self.policy, self.effects = static, policy, effects
        self.meets, self.settled = meets, settled
        values = static.values
        self.free = [index for index in policy if values[index] is not None]
        points = static.space.points
        self.start = {
            index: preferred(chances) if (v := values[index]) is None else points[index].place(v)
            for index, chances in policy.items()
        }

    def record(self) -> Decisions | None:
        """The best one; None when the static program does not meet the costs.

        Then it is no place to begin at.
        """
        if not self.meets(self._of(self.start)):
            return None
        undoubted = self._ascend(self.start, 0.0)
        ends = [self._ascend(begin, DOUBT) for begin in (self.start, undoubted)]
        # Among equals the first, which has begun at the static program.
        return self._of(max(ends, key=lambda places: self._bound(places, DOUBT)))

    def _bound(self, places: Places, doubt: float) -> float:
        return float(self.effects.gains([self._of(places)], self.static).bounds(doubt))

    def _of(self, places: Places) -> Decisions:
        certain = {i: one_hot(places[i], len(chances)) for i, chances in self.policy.items()}
        return argmax(self.static.space, certain, self.settled)

    def _ascend(self, places: Places, doubt: float) -> Places:
        """As long as the bound, which doubts a gain by so many standard errors, can be raised."""
        while True:
            better = next((p for p in self._better(places, doubt) if self.meets(self._of(p))), None)
            if better is None:
                return places
            places = better

    def _better(self, places: Places, doubt: float) -> Iterator[Places]:
        """Neighbours with a higher bound, the highest first; those by two changes last."""
        changes = [
            (index, place)
            for index in self.free
            for place in range(len(self.policy[index]))
            if place != places[index]
        ]
        # The last row is no change: what the places themselves gain.
        every = [*({**places, index: place} for index, place in changes), places]
        gains = self.effects.gains([self._of(each) for each in every], self.static)
        bounds = gains.bounds(doubt)
        least = bounds[-1] + LEAST * (1 + bounds[-1].abs())
        for row in bounds[:-1].sort(descending=True, stable=True).indices.tolist():
            if bounds[row] <= least:
                break
            yield every[row]
        # The contrast of a record with two changes is a + b - c, where a and b have one of them and
        # c has none; not exactly so where a change decides which other decisions there are.
        means, errors = gains
        a, b = torch.triu_indices(len(changes), len(changes), 1)
        own = errors.diag()
        variances = own[a] + own[b] + own[-1] + 2 * (errors[a, b] - errors[a, -1] - errors[b, -1])
        pairs = means[a] + means[b] - means[-1] - doubt * variances.clamp(min=0).sqrt()
        tried = 0
        for number in pairs.sort(descending=True, stable=True).indices.tolist():
            if pairs[number] <= least or tried == TRIED:
                return
            (i, p), (j, q) = changes[a[number]], changes[b[number]]
            both = {**places, i: p, j: q}
            if i != j and self._bound(both, doubt) > least:
                tried += 1
                yield both
