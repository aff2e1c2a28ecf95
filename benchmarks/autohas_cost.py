"""What AutoHAS costs: its searches against a plain training of the same length.

The static network of `autohas/static`, trained for two epochs, and searches of two epochs over
its weight decay (which acts in the optimiser's step), its mixup (which acts in the loss) and its
weight decay with the architecture, by the default options, with rewards (`autohas`) and by
gradients (`autohas_differentiable`). The paths of that supernet are larger than the static network,
so the search is also compared with itself when it judges no record. CPU time on one thread, in
turns; peak memory is what a fresh process needs above what it has before the program is built.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, Row, alternate, overhead, sides

SPACES = {
    "weight_decay": "weight decay",
    "mixup": "mixup",
    "weight_decay_arch": "weight decay and architecture",
}
LIMITS = {"autohas": (1.2, 1.5), "autohas_differentiable": (2.0, 4.0)}  # of time and memory
NAMES = {"autohas": "AutoHAS", "autohas_differentiable": "AutoHAS by gradients"}


def measure(quick: bool) -> list[Row]:
    """Time and memory of each search."""
    searches = [(kind, algorithm) for algorithm in LIMITS for kind in SPACES]
    runs = [("static", "autohas"), *searches, ("unjudged", "autohas")]
    with sides(("autohas_ours", OURS)) as (side,):
        side.run("spend", kind="static")  # reads the data
        measures = [partial(side.run, "spend", kind=k, algorithm=a) for k, a in runs]
        spent = dict(zip(runs, alternate(1 if quick else 3, *measures), strict=True))
    memory = {}
    for kind, algorithm in runs[:-1]:
        with sides(("autohas_ours", OURS)) as (side,):
            memory[kind, algorithm] = side.run("memory", kind=kind, algorithm=algorithm)
    rows = []
    for kind, algorithm in searches:
        what = f"{NAMES[algorithm]} over {SPACES[kind]}, against a training"
        time, room = LIMITS[algorithm]
        rows.append(overhead(what, spent[kind, algorithm], spent[runs[0]], "s", time))
        what = "... peak memory"
        rows.append(overhead(what, memory[kind, algorithm], memory[runs[0]], "MB", room))
    what = "AutoHAS with the architecture, against the supernet's training alone"
    both = spent["weight_decay_arch", "autohas"], spent[runs[-1]]
    rows.append(overhead(what, *both, "s", LIMITS["autohas"][0]))
    return rows


if __name__ == "__main__":
    for row in measure(quick=False):
        print(f"{row.what}: {row.ours:.3g} / {row.peer:.3g} {row.unit} = {row.ratio:.2f}x")
