"""The cost models of accelerators: how quick, how near to a simulator, how well learned.

`python benchmarks/accelerators.py`

1. The analytic model: one network on 10,000 accelerators at once, and one at a time.
2. The analytic model beside ZigZag, rank correlations over random (network, accelerator) pairs:
   MobileNetV2 of the space S1, at several widths and sizes of the image, and cells of NATS-Bench.
   Needs `pip install 'automl-cli[hardware]'`; about three seconds for a pair.
3. A learned model, fitted to random pairs of S1 and an accelerator, on pairs that it has not seen.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import random
import time
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from automl_cli.costs import Infeasible
from automl_cli.costs.layers import layers_of
from automl_cli.hardware import analytic, silicon
from automl_cli.hardware.edge_accelerator import grid
from automl_cli.hardware.layers import Network, network_of
from automl_cli.recipe import load_recipe
from automl_spaces.space import Space

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = silicon.Array
SIZES = (32, 96, 160, 224)
WIDTHS = (0.35, 0.5, 1.0)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=120, help="for the simulator; 0 leaves it out")
    parser.add_argument("--samples", type=int, default=20_000, help="for the learned model")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    each = speed(next(mobilenets(rng, (224,), (1.0,))))
    simulator(options.pairs, rng, each)
    if options.samples:
        learned(options.samples, rng)


def mobilenets(
    rng: random.Random, sizes: tuple[int, ...], widths: tuple[float, ...]
) -> Iterator[Network]:
    """Random networks of S1."""
    space = Space(load_recipe("mobilenet/s1").template)
    while True:
        size, model = rng.choice(sizes), space.materialise(space.sample(rng)).model
        model.rebind(width=rng.choice(widths))
        layers = layers_of(model, (3, size, size), 1000)
        assert layers is not None
        yield Network.of(layers)


def cells(rng: random.Random) -> Iterator[Network]:
    """Random cells of NATS-Bench's topology space."""
    space = Space(load_recipe("nats/topology").template)
    while True:
        yield network_of(space.materialise(space.sample(rng)))


def feasible() -> Array:
    """The accelerators of the space that can be built: [A, 7]."""
    found: Array = grid()
    return found[analytic.buildable(found)]


def speed(network: Network) -> float:
    """Print what an evaluation takes; the answer is seconds for one of 10,000."""
    accelerators = feasible()
    accelerators = accelerators[np.random.default_rng(0).permutation(len(accelerators))[:10_000]]
    together = _seconds(lambda: analytic.evaluate(network.layers, network.counts, accelerators), 20)
    one = accelerators[:1]
    single = _seconds(lambda: analytic.evaluate(network.layers, network.counts, one), 200)
    print(f"one network x 10,000 accelerators: {together * 1e3:.1f} ms")
    print(f"one network x one accelerator: {single * 1e3:.2f} ms")
    return together / 10_000


def _seconds(run: object, repeats: int) -> float:
    assert callable(run)
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)  # others may be at work here


def simulator(pairs: int, rng: random.Random, analytic_seconds: float) -> None:
    """Print rank correlations with ZigZag, and how many times slower it is."""
    if importlib.util.find_spec("zigzag") is None:
        print("ZigZag: skipped, for it is not installed: pip install 'automl-cli[hardware]'")
        return
    if not pairs:
        return
    networks = itertools.cycle([mobilenets(rng, SIZES, WIDTHS)] * 3 + [cells(rng)])
    beside(pairs, (next(source) for source in networks), rng, analytic_seconds)
    one = next(mobilenets(rng, (224,), (1.0,)))
    print("the same network on every accelerator:")
    beside(pairs // 4, itertools.repeat(one), rng, analytic_seconds)


def beside(
    pairs: int, networks: Iterator[Network], rng: random.Random, analytic_seconds: float
) -> None:
    """Print how well the two agree on so many networks, each on an accelerator drawn anew."""
    from automl_cli.hardware import zigzag

    accelerators = feasible()
    rows, refused, seconds = [], 0, 0.0
    while len(rows) < pairs:
        network = next(networks)
        point = accelerators[rng.randrange(len(accelerators))][None]
        began = time.perf_counter()
        zigzag.simulate.cache_clear()
        try:
            found = zigzag.evaluate(network.layers, network.counts, point)
        except Infeasible:
            refused += 1
            continue
        seconds += time.perf_counter() - began
        ours = analytic.evaluate(network.layers, network.counts, point)
        rows.append([*_moving(ours, point), *_moving(found, point), network.madds])
    values = np.array(rows)
    print(f"ZigZag: {pairs} pairs, {refused} more refused, {seconds / pairs:.2f} s each")
    print(f"  times slower than the analytic model: {seconds / pairs / analytic_seconds:,.0f}")
    for name, i, j in (("latency", 0, 2), ("energy", 1, 3)):
        ratio = np.median(values[:, j] / values[:, i])
        print(f"  {name}: Spearman {spearman(values[:, i], values[:, j]):.3f}, "
              f"median ZigZag / analytic {ratio:.2f}")  # fmt: skip
    print(f"  multiply-adds against latency: Spearman {spearman(values[:, 4], values[:, 2]):.3f}")


def _moving(costs: analytic.Costs, point: Array) -> tuple[float, float]:
    """Milliseconds, and the millijoules that the two models do not share."""
    watts = silicon.static_watts(point)[0]
    return costs.latency_ms[0], costs.energy_mj[0] - watts * costs.latency_ms[0]


def learned(samples: int, rng: random.Random) -> None:
    """Print how well a model that was fitted to `samples` pairs does on others."""
    from automl_cli.hardware.learned import features, fit

    accelerators, held_out = feasible(), max(1, samples // 10)
    total = samples + held_out
    networks = list(islice(mobilenets(rng, (224,), (1.0,)), total))
    hardware = accelerators[[rng.randrange(len(accelerators)) for _ in range(total)]]
    wanted = np.array([
        [costs.latency_ms[0], costs.energy_mj[0]]
        for costs in (
            analytic.evaluate(n.layers, n.counts, point[None])
            for n, point in zip(networks, hardware, strict=True)
        )
    ])  # fmt: skip
    rows = features(networks, hardware)
    began = time.perf_counter()
    model = fit(rows[:samples], *wanted[:samples].T)
    print(f"learned: {samples:,} pairs fitted in {time.perf_counter() - began:.0f} s; "
          f"on {held_out:,} others")  # fmt: skip
    for name, truth, guess in zip(
        ("latency", "energy"), wanted[samples:].T, model.predict(rows[samples:]).T, strict=True
    ):
        error = np.median(abs(guess / truth - 1))
        print(f"  {name}: Spearman {spearman(truth, guess):.4f}, median error {error:.2%}")


def spearman(first: Array, second: Array) -> float:
    """Rank correlation of [N] and [N]; ties in the order in which they come."""
    ranks = [values.argsort(kind="stable").argsort(kind="stable") for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
