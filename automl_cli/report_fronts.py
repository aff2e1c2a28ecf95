"""Searches with several objectives: their Pareto fronts and the hypervolume of these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from automl_algorithms.pareto import MOST_REWARDS, GrowingFront, hypervolume, non_dominated
from automl_cli.report_curves import Floats
from automl_cli.study_report import Group, StudyData
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective


class Front(NamedTuple):
    """The Pareto fronts of a group.

    Attributes:
        sizes: per seed, how many trials no other trial of the search beats.
        points: the values of those that no trial of any seed beats, a tuple each, sorted.
        reference: the values that the hypervolume is measured from; None when it is not.
        volumes: float64 [seeds], the hypervolume of each seed; empty without a reference.
    """

    sizes: list[int]
    points: list[tuple[float, ...]]
    reference: tuple[float, ...] | None
    volumes: Floats

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the hypervolume over seeds."""
        spread = float(self.volumes.std(ddof=1)) if len(self.volumes) > 1 else 0.0
        return float(self.volumes.mean()), spread


def points_of(study: StudyData, objectives: Sequence[Objective]) -> list[tuple[float, ...]]:
    """The objectives of the trials that count and have them all, a tuple of values each."""
    table = np.stack([study.metric(o.metric) for o in objectives], axis=1)
    table = table[study.counted & np.isfinite(table).all(axis=1)]
    return [tuple(point) for point in table.tolist()]


def front_of(
    points: Sequence[tuple[float, ...]], objectives: Sequence[Objective]
) -> list[tuple[float, ...]]:
    """Those that no other is better than in every objective."""
    return [points[i] for i in non_dominated([_rewards(p, objectives) for p in points])]


def fronts(groups: Sequence[Group], reference: Sequence[float] | None) -> list[Front]:
    """The fronts of groups that have the same objectives.

    Args:
        reference: in the order and the units of the objectives; by default the worst values
            that any trial of these groups has.

    Raises:
        UserError: a reference of the wrong length, or for more objectives than the exact
            hypervolume is offered for.
    """
    objectives = groups[0].objectives
    names = ", ".join(o.metric for o in objectives)
    count, measured = len(objectives), len(objectives) <= MOST_REWARDS
    if reference is not None and not measured:
        raise UserError(
            f"the hypervolume is measured for up to {MOST_REWARDS} objectives, and there are "
            f"{count}: {names}",
            hint="leave --reference away: fronts are found for any number",
        )
    if reference is not None and len(reference) != count:
        raise UserError(f"--reference takes a value for each of {names}, as in 0.5,200")
    seeds = [[points_of(s, objectives) for s in g.studies] for g in groups]
    told = [point for group in seeds for points in group for point in points]
    if reference is None and measured and told:
        pairs = zip(objectives, zip(*told, strict=True), strict=True)
        reference = [o.value(min(map(o.reward, column))) for o, column in pairs]
    return [_front(group, objectives, reference) for group in seeds]


def growth(
    points: Iterable[tuple[float, ...]],
    objectives: Sequence[Objective],
    reference: Sequence[float],
) -> list[float]:
    """The hypervolume of the front after each of these points, from a reference; never falling."""
    front, volumes = GrowingFront(_rewards(reference, objectives)), list[float]()
    for point in points:
        front.take(_rewards(point, objectives))
        volumes.append(front.volume)
    return volumes


def _front(
    seeds: Sequence[Sequence[tuple[float, ...]]],
    objectives: Sequence[Objective],
    reference: Sequence[float] | None,
) -> Front:
    own = [front_of(points, objectives) for points in seeds]
    volumes = []
    if reference is not None:
        low = _rewards(reference, objectives)
        volumes = [hypervolume([_rewards(p, objectives) for p in front], low) for front in own]
    shared = front_of([point for front in own for point in front], objectives)
    return Front(
        [len(front) for front in own],
        sorted({*shared}),
        None if reference is None else tuple(reference),
        np.array(volumes),
    )


def _rewards(values: Sequence[float], objectives: Sequence[Objective]) -> tuple[float, ...]:
    return tuple(o.reward(v) for o, v in zip(objectives, values, strict=True))
