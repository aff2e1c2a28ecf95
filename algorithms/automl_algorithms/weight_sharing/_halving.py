"""The arithmetic of a halving within a search: who competes, and who goes on for how long."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

LONGEST: Final = 0.9  # share of a search that a halving may take: before it there must be one


class Rung(NamedTuple):
    """A part of a halving.

    Args:
        end: the step of the search before which it is over.
        keep: how many members go on.
    """

    end: int
    keep: int


def share(members: int, trainings: float) -> float:
    """The share of a search that a halving takes, at its end.

    Args:
        members: of the first rung.
        trainings: what all may cost at most, in trainings as long as the search.
    """
    counts = _counts(members)
    return min(LONGEST, trainings * sum(1 / count for count in counts) / len(counts))


def rungs(members: int, begin: int, steps: int) -> list[Rung]:
    """From one step of the search to its end: each costs the same, the last one keeps one member.

    Half of the members, rounded up, go on from one to the next.
    """
    counts = _counts(members)
    shares = itertools.accumulate(1 / count for count in counts)
    whole = sum(1 / count for count in counts)
    ends = [begin + round((steps - begin) * done / whole) for done in shares]
    return [Rung(end, keep) for end, keep in zip(ends, [*counts[1:], 1], strict=True)]


def _counts(members: int) -> list[int]:
    counts = [members]
    while counts[-1] > 2:
        counts.append((counts[-1] + 1) // 2)
    return counts


def contenders(
    sizes: Mapping[int, int], most: int, rng: random.Random
) -> Iterator[Mapping[int, int]]:
    """Places for open points by index: all combinations if they are at most so many.

    Else a Latin hypercube: each candidate of each point as often as every other, give or take one.
    """
    if math.prod(sizes.values()) <= most:
        columns: Sequence[Sequence[int]] = list(
            zip(*itertools.product(*map(range, sizes.values())), strict=True)
        )
    else:
        columns = [
            [place for _ in range(0, most, size) for place in rng.sample(range(size), size)][:most]
            for size in sizes.values()
        ]
    for places in zip(*columns, strict=True):
        yield dict(zip(sizes, places, strict=True))
