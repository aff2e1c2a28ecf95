"""What a policy gradient ends with: the static program, changed where its quality backs a change.

A policy settles in every decision, in most of them by chance, and a network of thirty decisions
that were made by chance is a random network. The program that the user began with is seldom one.
So a decision keeps that program's candidate unless the quality of what the policy prefers is higher
by so many standard errors; and changes are made in the order of their evidence, each only if the
record still meets the costs, so that a change may wait for another one that pays for it.
"""

from __future__ import annotations

from collections.abc import Callable

from automl_algorithms.weight_sharing.derivation import Policy, Settled, argmax, preferred
from automl_algorithms.weight_sharing.identified import BACKED
from automl_spaces.decisions import Decisions


def backed(
    static: Decisions,
    policy: Policy,
    gain: Callable[[int, int, int], float],
    meets: Callable[[Decisions], bool],
    settled: Settled,
) -> Decisions | None:
    """The static program with all changes that are backed and affordable.

    Args:
        static: the record of the static program.
        policy: of every gate; its most probable candidate is what a change would be to. Decisions
            that the static program does not have, below a candidate of another, follow it.
        gain: of a candidate over another one, in standard errors, by index and their places.
        meets: whether the costs of a record are those that are wanted.

    Returns:
        None when the static program does not meet the costs: then it is no place to begin at.
    """
    space = static.space
    places: dict[int, int] = {}
    changes: list[tuple[float, int, int]] = []
    for index, chances in policy.items():
        best = preferred(chances)
        value = static.values[index]
        if value is None:
            places[index] = best
            continue
        places[index] = space.points[index].place(value)
        if best != places[index] and (known := gain(index, best, places[index])) >= BACKED:
            changes.append((-known, index, best))

    def record(of: dict[int, int]) -> Decisions:
        one_hot = {i: [float(p == of[i]) for p in range(len(c))] for i, c in policy.items()}
        return argmax(space, one_hot, settled)

    found = record(places)
    if not meets(found):
        return None
    waiting = sorted(changes)
    progress = True
    while waiting and progress:
        progress = False
        for change in list(waiting):
            _, index, place = change
            tried = record({**places, index: place})
            if meets(tried):
                places[index], found, progress = place, tried, True
                waiting.remove(change)
    return found
