"""What AutoHAS costs: its search against a plain training of the same length.

The static network of `autohas/static`, trained for two epochs, and searches of two epochs over
its weight decay (which acts in the optimiser's step), its mixup (which acts in the loss) and its
weight decay with the architecture, by the default options. The paths of that supernet are larger
than the static network, so the search is also compared with itself when it judges no record. CPU
time on one thread, in turns; peak memory is what a fresh process needs above what it has before
the program is built.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, Row, alternate, overhead, sides

SPACES = {
    "weight_decay": "weight decay",
    "mixup": "mixup",
    "weight_decay_arch": "weight decay and architecture",
}
TIME, MEMORY = 1.2, 1.5


def measure(quick: bool) -> list[Row]:
    """Time and memory of each search."""
    kinds = ["static", *SPACES, "unjudged"]
    with sides(("autohas_ours", OURS)) as (side,):
        side.run("spend", kind="static")  # reads the data
        measures = [partial(side.run, "spend", kind=kind) for kind in kinds]
        spent = dict(zip(kinds, alternate(1 if quick else 3, *measures), strict=True))
    memory = {}
    for kind in ("static", *SPACES):
        with sides(("autohas_ours", OURS)) as (side,):
            memory[kind] = side.run("memory", kind=kind)
    rows = []
    for kind, words in SPACES.items():
        what = f"AutoHAS over {words}, against a training"
        rows.append(overhead(what, spent[kind], spent["static"], "s", TIME))
        rows.append(overhead("... peak memory", memory[kind], memory["static"], "MB", MEMORY))
    what = "... with the architecture, against the supernet's training alone"
    rows.append(overhead(what, spent["weight_decay_arch"], spent["unjudged"], "s", TIME))
    return rows


if __name__ == "__main__":
    for row in measure(quick=False):
        print(f"{row.what}: {row.ours:.3g} / {row.peer:.3g} {row.unit} = {row.ratio:.2f}x")
