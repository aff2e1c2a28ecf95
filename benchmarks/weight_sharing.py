"""A step of a supernet, against steps of the stand-alone networks that it holds.

Sampled path: the space S3 of `mobilenet/s3`, a training step (forward, backward, SGD) on a batch
of 64; against a step of the largest network of the space. The largest path shows what switches
and slices cost; a random path is what a search does. Peak memory is what a fresh process needs
for some steps, above what it has before the network is built.

Mixture: the cell of `cells/topology` with two and five candidates on every edge, one step with
all of them weighted, against the steps of the networks with one of them on every edge, together.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, Row, alternate, overhead, sides

NAMES = ["nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "none"]


def measure(quick: bool) -> list[Row]:
    """Time and memory of paths, time of mixtures."""
    repeats = 3 if quick else 15
    with sides(("supernet_ours", OURS)) as (side,):
        side.run("prepare", names=NAMES)
        kinds = ["static", "path_largest", "path_random", "reward"]
        kinds += [f"mixture_{n}" for n in (2, 5)] + [f"alone_{i}" for i in range(len(NAMES))]
        side.run("step", kind="static")  # the first one is slow
        spent = dict(
            zip(
                kinds,
                alternate(repeats, *(partial(side.run, "step", kind=kind) for kind in kinds)),
                strict=True,
            )
        )
    memory = {}
    for kind in ("static", "path_largest", "path_random"):
        with sides(("supernet_ours", OURS)) as (side,):
            memory[kind] = side.run("memory", kind=kind)
    rows = [
        overhead(f"supernet step, {words}, against the largest network", spent[kind],
                 spent["static"], "s", target)
        for kind, words, target in (
            ("path_largest", "largest path", 1.15), ("path_random", "random path", 1.15),
            ("reward", "a reward on a validation batch", None),
        )
    ]  # fmt: skip
    rows += [
        overhead(f"... peak memory, {words}", memory[kind], memory["static"], "MB", 1.3)
        for kind, words in (("path_largest", "largest path"), ("path_random", "random paths"))
    ]
    for n in (2, 5):
        alone = sum(spent[f"alone_{i}"] for i in range(n))
        what = f"mixture of {n} candidates on each edge, against {n} networks of one each"
        rows.append(overhead(what, spent[f"mixture_{n}"], alone, "s", 1.1))
    return rows
