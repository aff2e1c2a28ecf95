"""How sure a policy gradient may be of what it prefers: a policy also settles by mere chance.

For each candidate of each decision the advantages R - b of the records that had it are counted.
What is preferred is backed by the difference of its mean advantage from that of all others, in
standard errors of that difference (Welch 1947).
"""

from __future__ import annotations

import math
from collections.abc import Collection

from automl_spaces.decisions import Decisions

FEWEST = 8  # advantages on either side: errors by fewer are too small too often


class Evidence:
    """Advantages by decision point and place: how many, their sum, the sum of their squares."""

    def __init__(self) -> None:
        self._sums: dict[int, dict[int, list[float]]] = {}

    def take(self, decisions: Decisions, advantage: float, among: Collection[int]) -> None:
        """A record's, for its active points among those of these indices."""
        for index in among:
            value = decisions.values[index]
            if value is None:
                continue
            place = decisions.space.points[index].place(value)
            sums = self._sums.setdefault(index, {}).setdefault(place, [0.0, 0.0, 0.0])
            for i, term in enumerate((1.0, advantage, advantage**2)):
                sums[i] += term

    def of(self, index: int, place: int) -> float:
        """The difference in standard errors: about 0 by chance; 0 where too little is known."""
        places = self._sums.get(index, {})
        ours = places.get(place, [0.0] * 3)
        rest = [sums for other, sums in places.items() if other != place]
        theirs = [sum(column) for column in zip(*rest, strict=True)] if rest else [0.0] * 3
        if min(ours[0], theirs[0]) < FEWEST:
            return 0.0
        error = math.sqrt(_variance(ours) / ours[0] + _variance(theirs) / theirs[0])
        return (ours[1] / ours[0] - theirs[1] / theirs[0]) / max(error, 1e-12)

    def state_dict(self) -> dict[str, dict[str, list[float]]]:
        """Plain data."""
        return {str(i): {str(p): sums for p, sums in at.items()} for i, at in self._sums.items()}

    def load_state_dict(self, state: dict[str, dict[str, list[float]]]) -> None:
        """Go on from a state."""
        self._sums = {
            int(i): {int(p): list(sums) for p, sums in at.items()} for i, at in state.items()
        }


def _variance(sums: list[float]) -> float:
    n, total, squares = sums
    return max(0.0, squares - total**2 / n) / (n - 1)
