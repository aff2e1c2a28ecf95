"""The design of a finish: which settings compete with the best ones that are known.

Of several decisions at once most changes do harm, and a harmful one hides what another gains: where
no mixup helps, a weight decay that comes with one is never seen. So members change one thing each.
In a Latin hypercube they change everything, which was measured to find less, and so was half of
each. A learning rate is another matter: it shows soon, so that a wrong one hides nothing for long,
and what is best beside it depends on it. So all members draw one.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final

NETWORK: Final = -1  # no index of a point: stands for all that makes the network, as one thing

Places = Mapping[int, int]


def contenders(
    best: Places,
    sizes: Mapping[int, int],
    most: int,
    rng: random.Random,
    *,
    networks: bool,
    rates: Collection[int],
) -> Iterator[Places]:
    """Places for open points by index: those of the members beside one that has the best ones.

    All combinations if they are few enough, unless networks compete, too. Otherwise one thing is
    changed in each, every thing as often as the others, give or take one, while it has candidates;
    and each candidate of a rate occurs as often as every other, give or take one.

    Args:
        best: a place for each point.
        sizes: numbers of candidates of each point.
        most: members, with the best one.
        rng: draws them.
        networks: whether the network is a thing to be changed; the places are then the best.
        rates: points that are learning rates.
    """
    if not networks and math.prod(sizes.values()) <= most:
        for combination in itertools.product(*map(range, sizes.values())):
            places = dict(zip(sizes, combination, strict=True))
            if places != best:
                yield places
        return
    others = {index: size for index, size in sizes.items() if index not in rates}
    rows = list(_changes(best, others, most - 1, rng, networks))
    if rates:
        rows += [best] * (most - 1 - len(rows))
    for rate in rates:
        size = sizes[rate]
        drawn = [p for _ in range(0, len(rows), size) for p in rng.sample(range(size), size)]
        rows = [{**row, rate: place} for row, place in zip(rows, drawn, strict=False)]
    yield from rows


def _changes(
    best: Places, sizes: Mapping[int, int], most: int, rng: random.Random, networks: bool
) -> Iterator[Places]:
    """One thing each; candidates of a point are spread over their order, one from each part."""
    room = {index: size - 1 for index, size in sizes.items()}
    if networks:
        room[NETWORK] = most
    order = rng.sample(list(room), len(room))
    turns = [index for turn in range(most) for index in order if turn < room[index]]
    for index, count in Counter(turns[:most]).items():
        if index == NETWORK:
            yield from [best] * count
            continue
        others = [place for place in range(sizes[index]) if place != best[index]]
        for part in range(count):
            low, high = (len(others) * each // count for each in (part, part + 1))
            yield {**best, index: others[rng.randrange(low, high)]}
