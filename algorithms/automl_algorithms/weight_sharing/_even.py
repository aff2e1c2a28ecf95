"""The most even policy that meets the targets of costs in the mean.

A survey of paths should say as much of one candidate as of another, and yet be about networks that
cost what is wanted: they are what will be chosen from, and large ones take time. Of all policies
with a given mean cost the one of the greatest entropy gives a candidate the probability

    p ~ exp(-lambda * what it costs)

(Jaynes 1957), if costs add up over the decisions. They nearly do: what each candidate costs is
fitted by least squares to the costs of random records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from automl_algorithms.weight_sharing._effects import Effects
from automl_algorithms.weight_sharing._targets import Shape
from automl_spaces.decisions import Decisions

RECORDS: Final = 256  # that are enough for the fit of a hundred candidates
SPREAD: Final = math.log(50.0)  # no candidate of a decision is so many times as likely as another
ROUNDS: Final = 20  # over the costs, each of which may be moved by what is done for another
HALVINGS: Final = 60


def even(
    sizes: Mapping[int, int],
    records: Sequence[Decisions],
    costs: Callable[[Decisions], Mapping[str, float]],
    targets: Mapping[str, tuple[float, Shape]],
) -> dict[int, Tensor]:
    """The logits of that policy, by the index of a point, float32 [candidates].

    Where the targets cannot be met by it, it is as near to them as `SPREAD` allows.

    Args:
        sizes: how many candidates a decision has, by the index of its point.
        records: random ones. Those with a cost that is not finite are left out.
        costs: of a record.
        targets: target and shape of each cost. One that may be cheaper is met by being so.
    """
    logits = {index: torch.zeros(size) for index, size in sizes.items()}
    known = [(each, costs(each)) for each in records] if targets else []
    known = [(r, c) for r, c in known if all(math.isfinite(c[name]) for name in targets)]
    if not known:
        return logits
    drawn = [record for record, _ in known]
    taken = _taken(sizes, drawn)
    shares, means = {}, {}
    for name, (target, _) in targets.items():
        ratios = [cost[name] / target for _, cost in known]
        fit = Effects(sizes)
        fit.take(drawn, ratios, 0.0)
        shares[name], means[name] = fit.candidates(), sum(ratios) / len(ratios)
    force = dict.fromkeys(targets, 0.0)

    def ratio(name: str, of: float) -> float:
        """The mean cost by its target, if this one had such a multiplier."""
        tilted = _tilted(logits, shares, {**force, name: of})
        moved = (
            ((each.softmax(0) * taken[index].sum() - taken[index]) * shares[name][index]).sum()
            for index, each in tilted.items()
        )
        return means[name] + float(sum(moved))

    for _ in range(ROUNDS if len(targets) > 1 else 1):
        for name, (_, shape) in targets.items():
            widest = max(float(each.max() - each.min()) for each in shares[name].values())
            most = SPREAD / widest if widest > 0 else 0.0
            low, high = -most if shape in ("absolute", "mnas") else 0.0, most
            for _ in range(HALVINGS):  # the mean cost falls with the multiplier
                middle = (low + high) / 2
                low, high = (middle, high) if ratio(name, middle) > 1 else (low, middle)
            force[name] = (low + high) / 2
    return _tilted(logits, shares, force)


def _taken(sizes: Mapping[int, int], records: Sequence[Decisions]) -> dict[int, Tensor]:
    """How often each candidate was, by records."""
    found = {index: torch.zeros(size) for index, size in sizes.items()}
    for record in records:
        for index, counts in found.items():
            value = record.values[index]
            if value is not None:
                counts[record.space.points[index].place(value)] += 1 / len(records)
    return found


def _tilted(
    logits: Mapping[int, Tensor],
    shares: Mapping[str, Mapping[int, Tensor]],
    force: Mapping[str, float],
) -> dict[int, Tensor]:
    return {
        index: each - sum(of * shares[name][index].float() for name, of in force.items())
        for index, each in logits.items()
    }
