"""Chances of decisions by where they stand: the program's tree is walked down at random.

At every branching each branch that leads to a decision is equally likely. So the edges of a
NATS-Bench cell written as `[[a], [b, c], [d, e, f]]`, a list of incoming edges per node, have the
chances 1/3, 1/6, 1/6, 1/9, 1/9, 1/9 of that benchmark's evolution.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# The parts of an id such as `model.cell[1][0].op(conv).width`, one branching each. A label in
# parentheses may itself hold a pair of them.
_PART = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|[^.(\[]+")


def chances(ids: Sequence[str]) -> list[float]:
    """The probability of each decision point, in the order of their ids; they add up to 1."""
    paths = [tuple(_PART.findall(id)) for id in ids]
    found = [0.0] * len(ids)
    open = [(1.0, 0, list(range(len(ids))))]
    while open:
        chance, depth, members = open.pop()
        branches: dict[str, list[int]] = {}
        for i in members:
            # A decision is a branch of its own beside those that it makes possible.
            branches.setdefault(paths[i][depth] if depth < len(paths[i]) else "", []).append(i)
        for branch, those in branches.items():
            share = chance / len(branches)
            if len(those) == 1 or not branch:
                for i in those:
                    found[i] = share / len(those)
            else:
                open.append((share, depth + 1, those))
    return found
