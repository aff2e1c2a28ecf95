"""Ranking by several rewards: fronts that do not dominate each other, and how crowded they are.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002, sections III-A and III-B. Rewards are
maximised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import ge


def fronts(rewards: Sequence[tuple[float, ...]]) -> list[list[int]]:
    """Positions of the vectors, front by front: each is dominated by one of the front before.

    The fronts of Deb et al., found as by Zhang, Tian, Cheng, Jin, "An efficient approach to
    nondominated sorting" (2015): from the best vector to the worst in lexicographic order, each
    joins the first front in which nothing dominates it. With two components only the latest
    member of a front can.
    """
    found: list[list[int]] = []
    ranked = sorted(range(len(rewards)), key=rewards.__getitem__, reverse=True)
    for i in ranked:
        mine = rewards[i]
        for front in found:
            rivals = front[-1:] if len(mine) <= 2 else reversed(front)
            for j in rivals:
                if rewards[j] != mine and all(map(ge, rewards[j], mine)):
                    break  # it dominates
            else:
                front.append(i)
                break
        else:
            found.append([i])
    return found


def crowding(rewards: Sequence[tuple[float, ...]]) -> list[float]:
    """How much room each vector of one front has: the larger, the lonelier.

    The sum over the components of the distance between its two neighbours, divided by the range
    of the front; infinite for the ends of each component (Deb et al., crowding-distance-
    assignment). A component in which all are equal says nothing; one that is infinite somewhere
    tells the ends only.
    """
    room = [0.0] * len(rewards)
    for values in zip(*rewards, strict=True):
        ranked = sorted(range(len(values)), key=values.__getitem__)
        low, high = values[ranked[0]], values[ranked[-1]]
        if low == high:
            continue
        room[ranked[0]] = room[ranked[-1]] = math.inf
        if math.isfinite(high - low):
            for before, i, after in zip(ranked, ranked[1:], ranked[2:], strict=False):
                room[i] += (values[after] - values[before]) / (high - low)
    return room
