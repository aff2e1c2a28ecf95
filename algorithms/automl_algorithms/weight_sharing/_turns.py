"""Sequential search: groups of decision points that learn one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.points import Point


class Turns:
    """Which decision points learn when: each group for an equal share of the search.

    Args:
        points: that are searched.
        groups: lists of paths (`optimizer`: all that stands below) or patterns
            (`model.blocks*.kernel_size`). A point that no group names learns all the time; a
            group that is named again has another turn.

    Raises:
        UserError: a path that is no point's, or a point in two groups.
    """

    def __init__(self, points: Sequence[Point], groups: Sequence[Sequence[str]]) -> None:
        self.groups = [frozenset(_named(points, group)) for group in groups]
        self.always = frozenset(p.index for p in points).difference(*self.groups)
        for point in points:
            if sum(point.index in group for group in set(self.groups)) > 1:
                raise UserError(f"{point.id} is in two groups", path="algorithm.groups")

    def learning(self, progress: float) -> frozenset[int]:
        """The indices of the points whose turn it is, at a share of the search."""
        if not self.groups:
            return self.always
        return (
            self.always | self.groups[min(int(progress * len(self.groups)), len(self.groups) - 1)]
        )


def _named(points: Sequence[Point], group: Sequence[str]) -> list[int]:
    found = []
    for path in group:
        indices = [p.index for p in points if _fits(p.id, path)]
        if not indices:
            ids = [p.id for p in points]
            raise UserError(
                f"no decision point is called {path} or stands below it",
                path="algorithm.groups",
                hint=did_you_mean(path, [*ids, *(id.partition(".")[0] for id in ids)]),
            )
        found += indices
    return found


def _fits(id: str, path: str) -> bool:
    below = id.startswith(path) and id[len(path) :][:1] in ("", ".", "[", "(")
    return below or fnmatchcase(id, path.replace("[", "[[]"))
