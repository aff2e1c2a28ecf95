"""What a proposal costs: propose and feedback together, after 100 and after 5,000 trials.

15 categorical decisions of 5 candidates and 5 numbers, one worker. The peer is Optuna's TPE
after as many trials. A search must not get slower with its length, an algorithm without a model
must stay below a millisecond, and one with a model below TPE.
"""

from __future__ import annotations

from functools import partial

from harness import OURS, PEERS, Row, alternate, faster, overhead, sides

MODELS = ("bayesian", "bohb", "gaussian_process")  # these fit something to what they were told


def measure(quick: bool) -> list[Row]:
    """Rows for each algorithm: after 100 and 5,000 trials, and how the two compare."""
    repeats, counts, measured = (1, (100, 500), 10) if quick else (3, (100, 5000), 30)
    with sides(("algorithms_ours", OURS), ("algorithms_optuna", PEERS)) as (ours, optuna):
        names = ours.run("names")
        runs = {
            (name, n): partial(ours.run, "cost", name=name, trials=n, measured=measured)
            for n in counts
            for name in names
        }
        runs |= {
            ("tpe", n): partial(optuna.run, "cost", trials=n, measured=measured) for n in counts
        }
        found = dict(zip(runs, alternate(repeats, *runs.values()), strict=True))
    rows = []
    for name in names:
        for n in counts:
            what, cost = f"{name}: a proposal after {n:,} trials", found[name, n]
            if name in MODELS:
                rows.append(faster(f"{what}, against TPE", cost, found["tpe", n], "us", 1.0))
            else:
                rows.append(overhead(f"{what}, against 1 ms", cost, 1000.0, "us", 1.0))
    return rows
