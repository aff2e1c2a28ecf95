"""NAHAS on a space whose optimum is known: `AUTOML_NATS=... python benchmarks/nahas_testbed.py`.

15,625 cells with the accuracies that NATS-Bench recorded x 50,000 accelerators with costs of the
analytic model: 7.8e8 pairs. What a cell costs follows from how many 1 x 1 and 3 x 3 convolutions it
has, and there are 28 such kinds: so the best pair within any limits is found by enumeration.

1. The exact optimum for several limits, of the joint space and of what is reached when one part is
   chosen before the other:
   - hardware first: the fastest accelerator for the ResNet cell, then the best cell on it;
   - network first: the best cell on the baseline accelerator, then an accelerator for it;
   - fixed: the best cell on the baseline accelerator.
2. What searches find, by `automl run nahas/nats_... --seeds 20` of 2,000 trials each: every study's
   best trial, as `automl best` has it, beside the exact optimum.

With `--rewards` the joint search also runs with other algorithms and other constraints. Studies are
kept in the folder, and are not run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from automl_cli.hardware import analytic
from automl_cli.hardware.edge_accelerator import EdgeAccelerator, grid
from automl_cli.hardware.layers import Network, network_of
from automl_cli.ledger import Ledger
from automl_cli.output import best_rows
from automl_cli.recipe import load_recipe
from automl_cli.study_results import objectives_of
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from automl_spaces.trial import Trial

ROOT = Path(__file__).parent.parent
VARIANTS = ("joint", "hardware_first", "alternating", "network_first", "fixed")
AREAS = (14.2, 7.1, 2.5)  # mm2: the baseline accelerator has 14.1
LATENCIES = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05)  # ms


class Limits(NamedTuple):
    """What a pair may cost."""

    latency_ms: float
    area_mm2: float

    def spelled(self, latency: str, area: str) -> str:
        """The recipe's constraints: what comes after the bounds, for each of both."""
        terms = (f"latency_ms: {_bound(self.latency_ms, latency)}",
                 f"area_mm2: {_bound(self.area_mm2, area)}")  # fmt: skip
        return f"constraints={{{', '.join(terms)}}}"


def _bound(most: float, reward: str) -> str:
    """In words where there is no reward: a mapping would keep that of the recipe."""
    return f"{{max: {most}{reward}}}" if reward else f"<= {most}"


SEARCHED = (Limits(0.015, 14.2), Limits(0.04, 2.5))
SOFT, WEAK = ", reward: soft, weight: -0.02", ", reward: hard, weight: -0.02"
HARD, REFUSED = ", reward: hard, weight: -1", ""
WORDS = {SOFT: "soft -0.02", WEAK: "hard -0.02", HARD: "hard -1", REFUSED: "refused"}


class Testbed:
    """All pairs, by kinds of networks that cost the same.

    Attributes:
        best: the highest accuracy of each kind, [K].
        latency: of each kind on each accelerator, infinite where it cannot run, [K, A].
        area: of each accelerator, [A].
        reference, baseline: the static program's kind and accelerator.
    """

    def __init__(self, recipe: str) -> None:
        space = Space.compile(load_recipe(recipe).template)
        accuracies = defaultdict[Any, list[float]](list)
        for decisions in space.enumerate():
            program = space.materialise(decisions)
            accuracies[_kind(network_of(program))].append(program.build()(Trial())["accuracy"])
        hardware = grid()
        costs = [analytic.evaluate(layers, counts, hardware) for layers, counts in accuracies]
        self.pairs = sum(map(len, accuracies.values())) * len(hardware)
        self.best = np.array([max(found) for found in accuracies.values()])
        self.latency = np.array([np.where(c.feasible, c.latency_ms, np.inf) for c in costs])
        self.area = costs[0].area_mm2
        default = space.default()
        assert default is not None
        static = space.materialise(default)
        self.reference = [*accuracies].index(_kind(network_of(static)))
        self.baseline = int(np.flatnonzero((hardware == EdgeAccelerator().point).all(axis=1))[0])

    def joint(self, limits: Limits) -> float | None:
        """The best accuracy of all pairs within the limits."""
        return self._best((self._runs(limits) & self._small(limits)).any(axis=1))

    def hardware_first(self, limits: Limits) -> float | None:
        """On the fastest accelerator for the static network; of equal ones the smallest."""
        latency = np.where(self._small(limits), self.latency[self.reference], np.inf)
        chosen = np.lexsort((self.area, latency))[0]
        return self._best(self._runs(limits)[:, chosen])

    def network_first(self, limits: Limits) -> float | None:
        """With some accelerator for what is best on the baseline, whose area does not count yet."""
        runs = self._runs(limits)
        chosen = np.where(runs[:, self.baseline], self.best, -np.inf).argmax()
        found = runs[chosen] & self._small(limits)
        return self._best(found.any(keepdims=True) & (np.arange(len(runs)) == chosen))

    def fixed(self, limits: Limits) -> float | None:
        """On the baseline accelerator."""
        runs = (self._runs(limits) & self._small(limits))[:, self.baseline]
        return self._best(runs)

    def _runs(self, limits: Limits) -> Any:
        return self.latency <= limits.latency_ms

    def _small(self, limits: Limits) -> Any:
        return self.area <= limits.area_mm2

    def _best(self, kinds: Any) -> float | None:
        return float(self.best[kinds].max()) if kinds.any() else None


def _kind(network: Network) -> tuple[Any, Any]:
    return network.layers, network.counts


class Search(NamedTuple):
    """A campaign: a variant's recipe under limits, and what is changed in it."""

    variant: str
    limits: Limits
    latency: str = SOFT
    area: str = REFUSED
    algorithm: str = "evolution"
    objective: str = ""

    @property
    def name(self) -> str:
        """Of its studies, up to their seeds."""
        bounds = f"{self.limits.latency_ms:g}-{self.limits.area_mm2:g}"
        several = "-2" * bool(self.objective)
        rewards = f"{WORDS[self.latency]}-{WORDS[self.area]}".replace(" ", "")
        return f"{self.variant}-{bounds}-{rewards}{several}"

    def run(self, seeds: int, folder: Path) -> None:
        """Run the studies that are missing; what they say goes to a file."""
        line = [sys.executable, "-m", "automl_cli", "run", f"nahas/nats_{self.variant}"]
        line += ["-a", self.algorithm, "--seeds", str(seeds), "--no-mlflow", "--set"]
        line += [self.limits.spelled(self.latency, self.area), "--set", f"name={self.name}"]
        if self.objective:
            line += ["--set", f"objective={self.objective}"]
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            subprocess.run(line, cwd=folder, stdout=log, stderr=log, check=False)

    def results(self, seeds: int, folder: Path) -> Results:
        """Of the studies of the first seeds."""
        found, refused, outside, ran = [], 0, 0, 0
        with Ledger(folder / ".automl" / "ledger.db", read_only=True) as ledger:
            studies = [s for s in ledger.studies() if s.name.startswith(f"{self.name}-")]
            for study in studies:
                if study.algorithm.partition(" ")[0] != self.algorithm or study.seed >= seeds:
                    continue
                best = best_rows(ledger, study, objectives_of(study))[0].metrics
                within = all(best[n] <= most for n, most in self.limits._asdict().items())
                found.append(best["accuracy"] if within else None)
                trials = ledger.trials(study.id)
                refused += sum(t.rejected for t in trials)
                ran += len(trials)
                outside += sum('"constraints_met":0' in t.metrics.replace(" ", "") for t in trials)
        return Results(found, refused / max(1, ran), outside / max(1, ran))


class Results(NamedTuple):
    """Of the studies of a campaign.

    Args:
        best: accuracy of each one's best trial; None where that is outside of the limits.
        refused: proposals turned down for each trial that ran.
        outside: share of the trials that ran outside of the limits.
    """

    best: list[float | None]
    refused: float
    outside: float

    @property
    def within(self) -> list[float]:
        """Accuracies of those that found something within the limits."""
        return [value for value in self.best if value is not None]


def exact_table(testbed: Testbed) -> Iterable[list[str]]:
    """The optimum for all limits: rows of cells."""
    yield ["area mm2", "latency ms", "joint", "hardware first", "network first", "fixed"]
    for area in AREAS:
        for latency in LATENCIES:
            limits = Limits(latency, area)
            found = (getattr(testbed, v)(limits) for v in VARIANTS if v != "alternating")
            yield [f"{area:g}", f"{latency:g}", *map(shown, found)]


def search_table(
    searches: Iterable[Search], testbed: Testbed, seeds: int, folder: Path
) -> Iterable[list[str]]:
    """What searches found: rows of cells."""
    yield ["area mm2", "latency ms", "search", "algorithm", "latency", "area", "median", "worst",
           "of the joint optimum", "best outside", "refused / trial", "ran outside"]  # fmt: skip
    for search in searches:
        search.run(seeds, folder)
        found = search.results(seeds, folder)
        optimum, within = testbed.joint(search.limits), found.within
        assert optimum is not None
        middle = median(within) if within else None
        yield [
            f"{search.limits.area_mm2:g}",
            f"{search.limits.latency_ms:g}",
            search.variant.replace("_", " "),
            search.algorithm + ", 2 objectives" * bool(search.objective),
            WORDS[search.latency],
            WORDS[search.area],
            shown(middle),
            shown(min(within, default=None)),
            "-" if middle is None else f"{middle / optimum:.2%}",
            f"{len(found.best) - len(within)} of {len(found.best)}",
            f"{found.refused:.2f}",
            f"{found.outside:.0%}",
        ]


def shown(value: float | None) -> str:
    """Percent, or a dash."""
    return "-" if value is None else f"{value:.2f}"


def searches(*, rewards: bool) -> list[Search]:
    """The campaigns: the variants, or the joint search in several ways."""
    if not rewards:
        # Network first begins outside of a small area, so that it must be allowed there.
        return [
            Search(variant, limits, area=HARD if variant == "network_first" else REFUSED)
            for limits in SEARCHED
            for variant in VARIANTS
            if variant != "fixed" or limits.area_mm2 >= AREAS[0]
        ]
    limits, both = SEARCHED[0], "[{maximize: accuracy}, {minimize: latency_ms}]"
    names = ("evolution", "local_search", "reinforce", "ppo", "random")
    return [
        *(Search("joint", limits, algorithm=name) for name in names),
        Search("joint", limits, WEAK),
        Search("joint", limits, HARD),
        Search("joint", limits, SOFT, SOFT),
        Search("joint", limits, REFUSED),
        Search("joint", limits, HARD, algorithm="nsga2", objective=both),
        Search("joint", limits, REFUSED, algorithm="nsga2", objective=both),
    ]


def printed(rows: Iterable[list[str]]) -> None:
    """A table in Markdown, each row as soon as it is there."""
    for number, cells in enumerate(rows):
        print("| " + " | ".join(cells) + " |", flush=True)
        if not number:
            print("|" + " ---: |" * len(cells))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="of each search; 0 for none")
    parser.add_argument("--rewards", action="store_true", help="other algorithms and constraints")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "nahas_testbed")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        testbed = Testbed("nahas/nats_fixed")
    except UserError as error:
        print(f"skipped: {error}")
        return 0
    print(f"{testbed.pairs:.2g} pairs, {len(testbed.best)} kinds of networks\n")
    printed(exact_table(testbed))
    if options.seeds:
        print(f"\n{options.seeds} seeds, 2,000 trials each\n")
        chosen = searches(rewards=options.rewards)
        printed(search_table(chosen, testbed, options.seeds, options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
