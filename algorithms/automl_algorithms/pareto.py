"""Pareto bookkeeping: which of several reward vectors no other one beats.

Rewards are maximised in every component. `a` dominates `b` when it is at least as good in all
components and better in one; the non-dominated vectors are the answer to a search with several
objectives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

MOST_REWARDS: Final = 4  # of which the hypervolume is measured
MOST_GROWING: Final = 3  # with more it takes too long after each of many vectors


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether reward vector `a` is nowhere worse than `b` and somewhere better."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def non_dominated(rewards: Sequence[Sequence[float]]) -> list[int]:
    """Positions of the vectors that no other dominates, in their order; equals all stay.

    An empty vector (a failed trial) is never among them. With the vectors sorted from best to
    worst a dominator always precedes what it dominates, so each is compared with the front
    found so far only: O(n log n + n * front).
    """
    front: list[int] = []
    ranked = sorted((i for i, r in enumerate(rewards) if r), key=lambda i: tuple(rewards[i]))
    for i in reversed(ranked):
        if not any(dominates(rewards[j], rewards[i]) for j in reversed(front)):
            front.append(i)
    return sorted(front)


def hypervolume(rewards: Iterable[Sequence[float]], reference: Sequence[float]) -> float:
    """What vectors of rewards dominate above a reference point, exactly: an area, for two.

    Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms" (PPSN 1998).
    Each vector dominates the box between the reference and itself, and the union of the boxes
    counts; a vector that is not above the reference in every reward adds nothing.

    More than two rewards are measured by slicing (While, Hingston, Barone and Huband, "A faster
    algorithm for calculating hypervolume", IEEE TEC 10(1), 2006): between two neighbouring values
    of the last reward, a slab is as thick as they are apart, and its base is the hypervolume in
    the other rewards of the vectors above it. O(n log n) for two, n times more for each further.

    Raises:
        ValueError: for more than four rewards, where slicing takes too long, or for one.
    """
    count = len(reference)
    if not 2 <= count <= MOST_REWARDS:
        raise ValueError(f"the hypervolume is for 2 to {MOST_REWARDS} rewards, not for {count}")
    above = [tuple(r) for r in rewards if all(x > low for x, low in zip(r, reference, strict=True))]
    return _volume(above, tuple(reference))


class GrowingFront:
    """The front of vectors of rewards that come one by one, and what it dominates.

    Args:
        reference: as of `hypervolume`; None: the worst of each reward so far. Either way the
            hypervolume never falls.

    Attributes:
        members: the front, without repeats.
    """

    def __init__(self, reference: Sequence[float] | None = None) -> None:
        self.members: list[tuple[float, ...]] = []
        self._reference = None if reference is None else tuple(reference)
        self._worst: tuple[float, ...] | None = self._reference
        self._known: float | None = 0.0  # None: to be computed again

    def take(self, rewards: Sequence[float]) -> None:
        """The next vector. O(front)."""
        vector = tuple(rewards)
        if self._reference is None:
            worst = vector if self._worst is None else tuple(map(min, vector, self._worst))
            if worst != self._worst:
                self._worst, self._known = worst, None
        if not any(dominates(each, vector) or each == vector for each in self.members):
            self.members = [each for each in self.members if not dominates(vector, each)]
            self.members.append(vector)
            self._known = None

    @property
    def volume(self) -> float:
        """The hypervolume; computed when something has changed."""
        if self._known is None:
            assert self._worst is not None
            self._known = hypervolume(self.members, self._worst)
        return self._known


def _volume(above: list[tuple[float, ...]], reference: tuple[float, ...]) -> float:
    """The hypervolume of vectors that are above the reference in every reward."""
    if len(reference) == 2:
        return _area(above, *reference)
    volume, floor = 0.0, reference[-1]
    kept = sorted((above[i] for i in non_dominated(above)), key=lambda r: r[-1])
    for place, vector in enumerate(kept):
        if vector[-1] > floor:
            base = _volume([r[:-1] for r in kept[place:]], reference[:-1])
            volume += (vector[-1] - floor) * base
            floor = vector[-1]
    return volume


def _area(above: list[tuple[float, ...]], low: float, floor: float) -> float:
    area, height = 0.0, floor
    for x, y in sorted(above, reverse=True):
        if y > height:  # what lies above all vectors that are better in the first reward
            area += (x - low) * (y - height)
            height = y
    return area
