"""The symbolic core against PyGlove 0.4.5: CPU milliseconds per operation.

Both sides hold the same program: a trainer of a MobileNetV2 of 17 blocks, with a space of 39
decision points: kernel size {3, 5, 7} and expansion {3, 6} of every block, the width, an
optimizer of two kinds each with a float of its own, and the learning rate. Only public functions
are called. What is counted:

- a search: all of a step of `sample` on both sides - propose, make the program, take a constant
  reward - after the first 60 trials, so that evolution has its population (50, tournament 10).
- tree built: the calls that make the static program's 20 nodes, with arguments checked.
- JSON: to a text and back to a tree.
- equality and diff: of two trees that share nothing; for diff one leaf differs.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, PEERS, Row, alternate, faster, sides

OPERATIONS: dict[str, tuple[str, float | None]] = {
    "search_random": ("random search: propose and make a program", 300),
    "search_evolution": ("regularized evolution: propose and make a program", 200),
    "build": ("static tree built", None),
    "clone_static": ("deep clone, static tree", 100),
    "clone_space": ("deep clone, tree with choices", 100),
    "rebind": ("rebind of one leaf", 10),
    "equal": ("equality of two trees", None),
    "diff": ("diff of two trees, one leaf differs", 100),
    "json": ("JSON round trip", 20),
}


def measure(quick: bool) -> list[Row]:
    """One row per operation; 3 or 9 turns of each side, at least 30 ms each turn."""
    rows = []
    with sides(("symbolic_ours", OURS), ("symbolic_pyglove", PEERS)) as (ours, pyglove):
        for case, (what, target) in OPERATIONS.items():
            turns = [
                partial(side.run, "measure", case=case, seconds=0.03 if quick else 0.1)
                for side in (ours, pyglove)
            ]
            a, b = alternate(3 if quick else 9, *turns)
            rows.append(faster(what, a, b, "ms", target))
    return rows
