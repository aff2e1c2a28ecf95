"""The arithmetic of a halving within a search: how many go on, and for how long."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

LONGEST: Final = 0.9  # share of a search that a halving may take: before it there must be one
POWERS: Final = [part / 20 for part in range(20, -321, -1)]
"""How the length of a rung may depend on its members, from rungs of equal cost to one where those
after the first are next to nothing. They are coarse, so that a rounded begin matters not."""


class Rung(NamedTuple):
    """A part of a halving.

    Args:
        end: the step of the search before which it is over.
        keep: how many members go on.
    """

    end: int
    keep: int


def share(members: int, trainings: float) -> float:
    """The share of a search that a halving takes, at its end, where each rung costs the same.

    Args:
        members: of the first rung.
        trainings: what all may cost at most, in trainings as long as the search.
    """
    return min(LONGEST, trainings / _mean(_counts(members), 1.0))


def rungs(members: int, begin: int, steps: int, trainings: float) -> list[Rung]:
    """From one step of the search to its end: the last rung keeps one member.

    Half of the members, rounded up, go on from one to the next. Each rung costs the same,
    as in successive halving, if that spends the trainings; with more of them to spend, members
    are dropped later.

    A rung of n members takes a part of the steps in proportion to n^-p: with p = 1 each costs the
    same, with 0 each is as long as the others, and the further p is below, the longer the first.
    """
    counts = _counts(members)
    span = steps - begin
    affordable = bisect.bisect(POWERS, trainings * steps / span, key=partial(_mean, counts))
    parts = _parts(counts, POWERS[max(0, affordable - 1)])
    whole = sum(parts)
    ends = [begin + round(span * done / whole) for done in itertools.accumulate(parts)]
    return [Rung(end, keep) for end, keep in zip(ends, [*counts[1:], 1], strict=True)]


def _mean(counts: Sequence[int], power: float) -> float:
    """Members that train in a step, on average."""
    parts = _parts(counts, power)
    return sum(part * count for part, count in zip(parts, counts, strict=True)) / sum(parts)


def _parts(counts: Sequence[int], power: float) -> list[float]:
    """How long rungs are, the first one's length being one."""
    return [(counts[0] / count) ** power for count in counts]


def _counts(members: int) -> list[int]:
    counts = [members]
    while counts[-1] > 2:
        counts.append((counts[-1] + 1) // 2)
    return counts
