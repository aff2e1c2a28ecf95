"""Pareto bookkeeping: which of several reward vectors no other one beats.

Rewards are maximised in every component. `a` dominates `b` when it is at least as good in all
components and better in one; the non-dominated vectors are the answer to a search with several
objectives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
    """The area that vectors of two rewards dominate above a reference point: exact, O(n log n).

    Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms" (PPSN 1998).
    Each vector dominates the rectangle between the reference and itself, and the union of the
    rectangles counts; a vector that is not above the reference in both rewards adds nothing.

    Raises:
        ValueError: unless vectors and reference have two components.
    """
    if len(reference) != 2:
        raise ValueError(f"the hypervolume is measured for two rewards, not for {len(reference)}")
    low, floor = reference
    area, height = 0.0, floor
    for x, y in sorted(((x, y) for x, y in rewards if x > low), reverse=True):
        if y > height:  # what lies above all vectors that are better in the first reward
            area += (x - low) * (y - height)
            height = y
    return area
