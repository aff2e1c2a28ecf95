"""Mean ranks: how algorithms compare over problems whose values cannot be averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from automl_cli.report_curves import Floats
from automl_cli.study_report import Group, Problem


class Ranks(NamedTuple):
    """How algorithms rank.

    Attributes:
        mean: the mean rank by algorithm, the best first; 1 is the best possible.
        problems: recipes that all of these algorithms ran on.
        blocks: pairs of recipe and seed, each of which ranks the algorithms once.
        left_out: algorithms that ran elsewhere only.
    """

    mean: dict[str, float]
    problems: int
    blocks: int
    left_out: list[str]


def mean_ranks(groups: Sequence[Group]) -> Ranks | None:
    """The mean over (recipe, seed) of the rank of each algorithm's final value, ties averaged.

    Only pairs of recipe and seed that all ranked algorithms ran count, since a mean over
    different problems would compare nothing. Where no pair is common to all, the algorithms that
    ran least are left out, so that as many ranks as possible remain. None when no two algorithms
    have one in common. A search without any result is the worst.
    """
    found: dict[str, dict[tuple[Problem, int], float]] = {}
    for group in groups:
        goal = group.objectives[0]
        mine = found.setdefault(group.algorithm, {})
        for study in group.studies:
            # The recipe's name may differ: what is compared is the program and its space.
            block = (group.problem._replace(name=""), study.row.seed)
            mine[block] = -math.inf if math.isnan(study.final) else goal.reward(study.final)
    names = sorted(found, key=lambda name: -len(found[name]))
    choices = [(names[:k], set.intersection(*(set(found[n]) for n in names[:k])))
               for k in range(2, len(names) + 1)]  # fmt: skip
    kept, blocks = max(choices, key=lambda c: len(c[0]) * len(c[1]), default=([], set()))
    if not blocks:
        return None
    rewards = np.array([[found[name][block] for name in kept] for block in blocks])
    means = dict(zip(kept, ranks(rewards).mean(axis=0).tolist(), strict=True))
    return Ranks(
        dict(sorted(means.items(), key=lambda item: item[1])),
        len({problem for problem, _ in blocks}),
        len(blocks),
        [name for name in names if name not in means],
    )


def ranks(rewards: Floats) -> Floats:
    """The rank of each reward within its row, 1 for the highest; equals share their mean rank.

    Args:
        rewards: float64 [blocks, algorithms].
    """
    mine, others = rewards[:, :, None], rewards[:, None, :]
    higher = np.count_nonzero(others > mine, axis=2)
    equal = np.count_nonzero(others == mine, axis=2)
    return np.asarray(higher + (equal + 1) / 2, np.float64)
