"""The design of a finish: which settings compete with the best ones that are known.

Of several decisions at once most changes do harm, and a harmful one hides what another gains: where
no mixup helps, a weight decay that comes with one is never seen. So members change one thing each.
A Latin hypercube, in which they change everything, was measured to find less, as was half of each.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

NETWORK: Final = -1  # no index of a point: stands for all that makes the network, as one thing

Places = Mapping[int, int]


def contenders(
    best: Places, sizes: Mapping[int, int], most: int, rng: random.Random, *, networks: bool
) -> Iterator[Places]:
    """Places for open points by index: those of the members beside one that has the best ones.

    All combinations if they are few enough, unless networks compete, too. Otherwise one thing is
    changed in each, every thing as often as the others, give or take one, while it has candidates.
    Those of a point are spread over their order: from each of so many parts there is one.

    Args:
        best: a place for each point.
        sizes: numbers of candidates of each point.
        most: members, with the best one.
        rng: draws them.
        networks: whether the network is a thing to be changed; the places are then the best.
    """
    if not networks and math.prod(sizes.values()) <= most:
        for combination in itertools.product(*map(range, sizes.values())):
            places = dict(zip(sizes, combination, strict=True))
            if places != best:
                yield places
        return
    room = {index: size - 1 for index, size in sizes.items()}
    if networks:
        room[NETWORK] = most
    order = rng.sample(list(room), len(room))
    turns = [index for turn in range(most) for index in order if turn < room[index]]
    for index, count in Counter(turns[: most - 1]).items():
        if index == NETWORK:
            yield from [best] * count
            continue
        others = [place for place in range(sizes[index]) if place != best[index]]
        for part in range(count):
            low, high = (len(others) * each // count for each in (part, part + 1))
            yield {**best, index: others[rng.randrange(low, high)]}
