"""TuNAS's warm-up of the shared weights (Bender et al. 2020, arXiv 2008.06120)."""

from __future__ import annotations

import random
from collections.abc import Collection

from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions


def force(
    net: Supernet,
    decisions: Decisions,
    chance: float,
    rng: random.Random,
    modules: Collection[int],
    spared: Collection[int],
) -> None:
    """Set gates otherwise than decided, each with a chance.

    A decision between modules has all of them computed with equal weights, one about a size takes
    the largest.

    Args:
        decisions: as the gates are set; inactive ones are drawn where they may be met.
        chance: of each gate; at most 0: nothing is done.
        modules: points that choose between modules; the others are about sizes.
        spared: points whose gates stay as they are.
    """
    if chance <= 0:
        return
    for index, gate in net.gates.items():
        if index in spared:
            continue
        if decisions.values[index] is None:  # it may be met where all candidates are computed
            gate.choose(rng.randrange(gate.size))
        if rng.random() >= chance:
            continue
        if index in modules:
            gate.mix_evenly()
        else:
            gate.choose_largest()
