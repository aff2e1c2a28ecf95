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
from automl_algorithms.weight_sharing.derivation import Policy, Settled, argmax, preferred
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
        means, errors = self.effects.gains([self._of(places)], self.static)
        return float(means[0] - doubt * errors[0, 0].clamp(min=0).sqrt())

    def _of(self, places: Places) -> Decisions:
        one_hot = {
            i: [float(p == places[i]) for p in range(len(c))] for i, c in self.policy.items()
        }
        return argmax(self.static.space, one_hot, self.settled)

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
        if not changes:
            return
        # The last row is no change: what the places themselves gain.
        every = [*({**places, index: place} for index, place in changes), places]
        means, errors = self.effects.gains([self._of(each) for each in every], self.static)
        mean, own = means[-1], errors[-1, -1]
        deviations = errors.diag().clamp(min=0).sqrt()
        bounds = means - doubt * deviations
        least = bounds[-1] + LEAST * (1 + bounds[-1].abs())
        for row in bounds[:-1].sort(descending=True, stable=True).indices.tolist():
            if bounds[row] <= least:
                break
            yield every[row]
        # The contrast of a record with two changes is a + b - c, where a and b have one of them and
        # c has none; not exactly so where a change decides which other decisions there are.
        n = len(changes)
        a, ab, ac = errors.diag()[:n], errors[:n, :n], errors[:n, -1]
        variances = (a - 2 * ac)[:, None] + (a - 2 * ac)[None, :] + own + 2 * ab
        totals = means[:n, None] + means[None, :n] - mean
        pairs = totals - doubt * variances.clamp(min=0).sqrt()
        first, second = torch.triu_indices(n, n, 1)
        flat = pairs[first, second]
        best = flat.sort(descending=True, stable=True).indices
        tried = 0
        for number in best.tolist():
            if flat[number] <= least or tried == TRIED:
                return
            (i, p), (j, q) = changes[first[number]], changes[second[number]]
            both = {**places, i: p, j: q}
            if i != j and self._bound(both, doubt) > least:
                tried += 1
                yield both
