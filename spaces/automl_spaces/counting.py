"""The exact number of decision records of a space."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from automl_spaces.points import Group, Point

_MOST_CASES = 100_000


def count(points: Sequence[Point]) -> int | float:
    """How many records there are; `math.inf` when an active point is a continuum.

    A point with one condition hangs below its parent, and the forest is counted bottom up. A
    point shared between several conditions is counted case by case over the points that decide
    whether it is active.
    """
    shared = [p for p in points if len(p.conditions) > 1]
    if not shared:
        return _count_forest(points, {})
    deciders = sorted({i for p in shared for i in _ancestors(points, p)})
    sizes = [len(points[i].labels) for i in deciders]
    if math.prod(sizes) > _MOST_CASES:
        raise OverflowError("too many shared conditions to count the space exactly")
    total: int | float = 0
    for case in itertools.product(*(range(-1, n) for n in sizes)):
        fixed = dict(zip(deciders, case, strict=True))
        if _consistent(points, fixed):
            total += _count_forest(points, fixed)
    return total


def _ancestors(points: Sequence[Point], point: Point) -> set[int]:
    found = {parent for parent, _ in point.conditions}
    return found.union(*(_ancestors(points, points[i]) for i in found)) if found else found


def _active(point: Point, fixed: dict[int, int]) -> bool:
    return not point.conditions or any(fixed[i] == c for i, c in point.conditions)


def _consistent(points: Sequence[Point], fixed: dict[int, int]) -> bool:
    """-1 stands for inactive: it is right exactly where the other values make it so."""
    for i, value in fixed.items():
        if _active(points[i], fixed) != (value >= 0):
            return False
        group = points[i].group
        if group is not None and any(j not in fixed for j in group.indices):
            raise OverflowError("a shared choice below a group is not counted")
        if group is not None and value >= 0:
            chosen = [fixed[j] for j in group.indices]
            if group.distinct and len({*chosen}) < len(chosen):
                return False
            if group.sorted and chosen != sorted(chosen):
                return False
    return True


def _count_forest(points: Sequence[Point], fixed: dict[int, int]) -> int | float:
    below: dict[tuple[int, int], list[int]] = {}
    roots: list[int] = []
    for p in points:
        if not p.conditions:
            roots.append(p.index)
        elif len(p.conditions) == 1:
            below.setdefault(p.conditions[0], []).append(p.index)
        elif _active(p, fixed):
            roots.append(p.index)

    def product(indices: list[int]) -> int | float:
        total: int | float = 1
        for i in indices:
            group = points[i].group
            if group is None or i in fixed:
                total *= single(i)
            elif i == group.indices[0]:
                total *= _count_group(group, [weights(j) for j in group.indices])
        return total

    def weights(i: int) -> list[int | float]:
        return [product(below.get((i, c), [])) for c in range(len(points[i].labels))]

    def single(i: int) -> int | float:
        if i in fixed:
            # Its value is given; what hangs below it and is not given itself still varies.
            chosen = fixed[i]
            return product([j for j in below.get((i, chosen), []) if j not in fixed])
        if points[i].kind == "categorical":
            return sum(weights(i))
        return points[i].cardinality or math.inf

    top = [i for i in roots if i not in fixed] + [i for i in fixed if fixed[i] >= 0]
    return product(top)


def _count_group(group: Group, weights: list[list[int | float]]) -> int | float:
    """Slots are alike, so the first one's weights serve for all of them.

    Distinct: elementary symmetric polynomial e_k (times k! when unordered); sorted with repeats:
    complete homogeneous symmetric polynomial h_k; else the plain power.
    """
    k, w = len(group.indices), weights[0]
    if not group.distinct and not group.sorted:
        return math.prod(sum(each) for each in weights)
    ways: list[int | float] = [1, *[0] * k]
    for x in w:
        steps = range(k, 0, -1) if group.distinct else range(1, k + 1)
        for j in steps:
            ways[j] += ways[j - 1] * x
    return ways[k] * (math.factorial(k) if group.distinct and not group.sorted else 1)
