"""NAHAS on spaces whose optimum is known: `AUTOML_NATS=... python benchmarks/nahas_testbed.py`.

Networks with the accuracies that NATS-Bench recorded x 50,000 accelerators with costs of the
analytic model: 15,625 cells, 7.8e8 pairs, or with `--space size` 32,768 lists of widths, 1.6e9
pairs. The best pair within any limits is found by enumeration (`nahas_exact`).

1. The exact optimum for several limits, of the joint space and of what is reached when one part is
   chosen before the other:
   - hardware first: the fastest accelerator for the static network, then the best network on it;
   - network first: the best network on the baseline accelerator, then an accelerator for it;
   - fixed: the best network on the baseline accelerator.
2. What searches find, by `automl run nahas/nats_... --seeds 20` of 2,000 trials each: every study's
   best trial, as `automl best` has it, beside the exact optimum.

With `--rewards` the joint search also runs under other constraints and by other algorithms, in one
phase, with `--algorithms` by those alone. Studies are kept in the folder, and are not run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nahas_exact import Limits, Testbed

from automl_cli.ledger import Ledger
from automl_cli.output import best_rows
from automl_cli.study_results import objectives_of
from automl_spaces.errors import UserError

ROOT = Path(__file__).parent.parent
VARIANTS = ("joint", "hardware_first", "alternating", "network_first", "fixed")
RECIPES_OWN = "evolution"  # by which every recipe searches
ALIKE = 0.01  # percent: what a table of two digits does not tell from the optimum
AREAS = (14.2, 7.1, 2.5)  # mm2: the baseline accelerator has 14.1


class Space(NamedTuple):
    """A space of networks.

    Args:
        stem: of its recipes' names.
        latencies: in ms, for which the optima are printed.
        searched: the limits of the searches, and the reward for the latency under each.
    """

    stem: str
    latencies: tuple[float, ...]
    searched: tuple[tuple[Limits, str], ...]


SOFT, WEAK = ", reward: soft, weight: -0.02", ", reward: hard, weight: -0.02"
STEEP = ", reward: soft, weight: -0.04"  # where a weaker one would end outside of the limit
HARD, REFUSED = ", reward: hard, weight: -1", ""
WORDS = {SOFT: "soft -0.02", STEEP: "soft -0.04", WEAK: "hard -0.02", HARD: "hard -1",
         REFUSED: "refused"}  # fmt: skip
SPACES = {
    "topology": Space(
        "nats",
        (0.01, 0.015, 0.02, 0.03, 0.04, 0.05),
        ((Limits(0.015, 14.2), SOFT), (Limits(0.04, 2.5), SOFT)),
    ),
    "size": Space(
        "nats_size",
        (0.005, 0.01, 0.015, 0.02, 0.03, 0.04),
        ((Limits(0.015, 14.2), SOFT), (Limits(0.01, 2.5), STEEP)),
    ),
}


class Search(NamedTuple):
    """A campaign: a variant's recipe under limits, and what is changed in it.

    With an algorithm it is that one, with its defaults and without phases.
    """

    variant: str
    limits: Limits
    latency: str = SOFT
    area: str = REFUSED
    algorithm: str = ""
    objective: str = ""
    stem: str = "nats"

    @property
    def name(self) -> str:
        """Of its studies, up to their algorithms and seeds."""
        bounds = f"{self.limits.latency_ms:g}-{self.limits.area_mm2:g}"
        several, plain = "-2" * bool(self.objective), "plain-" * bool(self.algorithm)
        rewards = f"{WORDS[self.latency]}-{WORDS[self.area]}".replace(" ", "")
        stem = self.stem.removeprefix("nats").lstrip("_")
        return f"{stem}{'-' * bool(stem)}{plain}{self.variant}-{bounds}-{rewards}{several}"

    def run(self, seeds: int, folder: Path) -> None:
        """Run the studies that are missing; what they say goes to a file."""
        line = [sys.executable, "-m", "automl_cli", "run", f"nahas/{self.stem}_{self.variant}"]
        line += ["--seeds", str(seeds), "--no-mlflow", "--set", self._constraints()]
        line += ["--set", f"name={self.name}"]
        if self.algorithm:
            line += ["-a", self.algorithm, "--set", "phases=null"]
        if self.objective:
            line += ["--set", f"objective={self.objective}"]
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            subprocess.run(line, cwd=folder, stdout=log, stderr=log, check=False)

    def _constraints(self) -> str:
        """The recipe's constraints under these limits."""
        terms = (f"latency_ms: {_bound(self.limits.latency_ms, self.latency)}",
                 f"area_mm2: {_bound(self.limits.area_mm2, self.area)}")  # fmt: skip
        return f"constraints={{{', '.join(terms)}}}"

    def results(self, seeds: int, folder: Path) -> Results:
        """Of the studies of the first seeds."""
        found, refused, outside, ran = [], 0, 0, 0
        with Ledger(folder / ".automl" / "ledger.db", read_only=True) as ledger:
            studies = [s for s in ledger.studies() if s.name.startswith(f"{self.name}-")]
            for study in studies:
                if study.algorithm != (self.algorithm or RECIPES_OWN) or study.seed >= seeds:
                    continue
                best = best_rows(ledger, study, objectives_of(study))[0].metrics
                within = all(best[n] <= most for n, most in self.limits._asdict().items())
                found.append(best["accuracy"] if within else None)
                trials = ledger.trials(study.id)
                refused += sum(t.rejected for t in trials)
                ran += len(trials)
                outside += sum('"constraints_met":0' in t.metrics.replace(" ", "") for t in trials)
        return Results(found, refused / max(1, ran), outside / max(1, ran))


def _bound(most: float, reward: str) -> str:
    """In words where there is no reward: a mapping would keep that of the recipe."""
    return f"{{max: {most}{reward}}}" if reward else f"<= {most}"


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


def exact_table(testbed: Testbed, space: Space) -> Iterable[list[str]]:
    """The optimum for all limits: rows of cells."""
    yield ["area mm2", "latency ms", "joint", "hardware first", "network first", "fixed"]
    for area in AREAS:
        for latency in space.latencies:
            limits = Limits(latency, area)
            found = (getattr(testbed, v)(limits) for v in VARIANTS if v != "alternating")
            yield [f"{area:g}", f"{latency:g}", *map(shown, found)]


def search_table(
    searches: Iterable[Search], testbed: Testbed, seeds: int, folder: Path
) -> Iterable[list[str]]:
    """What searches found: rows of cells."""
    yield ["area mm2", "latency ms", "search", "algorithm", "latency", "area", "median", "worst",
           "of the joint optimum", "at it", "best outside", "refused / trial",
           "ran outside"]  # fmt: skip
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
            (search.algorithm or "the recipe's") + ", 2 objectives" * bool(search.objective),
            WORDS[search.latency],
            WORDS[search.area],
            shown(middle),
            shown(min(within, default=None)),
            "-" if middle is None else f"{middle / optimum:.2%}",
            f"{sum(value > optimum - ALIKE for value in within)} of {len(found.best)}",
            f"{len(found.best) - len(within)} of {len(found.best)}",
            f"{found.refused:.2f}",
            f"{found.outside:.0%}",
        ]


def shown(value: float | None) -> str:
    """Percent, or a dash."""
    return "-" if value is None else f"{value:.2f}"


def variants(space: Space) -> list[Search]:
    """Joint search and the others, under both limits."""
    # Network first begins outside of a small area, so that it must be allowed there.
    return [
        Search(variant, limits, latency, HARD if variant == "network_first" else REFUSED,
               stem=space.stem)
        for limits, latency in space.searched
        for variant in VARIANTS
        if variant != "fixed" or limits.area_mm2 >= AREAS[0]
    ]  # fmt: skip


def algorithms(space: Space, names: Iterable[str]) -> list[Search]:
    """Joint search by other algorithms."""
    limits, latency = space.searched[0]
    return [Search("joint", limits, latency, algorithm=n, stem=space.stem) for n in names]


def rewards(space: Space) -> list[Search]:
    """Joint search under other constraints, and by other algorithms; none of them in phases."""
    limits, both = space.searched[0][0], "[{maximize: accuracy}, {minimize: latency_ms}]"
    found = [
        *algorithms(space, ("evolution", "local_search", "reinforce", "ppo", "random")),
        Search("joint", limits, WEAK, algorithm="evolution"),
        Search("joint", limits, HARD, algorithm="evolution"),
        Search("joint", limits, SOFT, SOFT, algorithm="evolution"),
        Search("joint", limits, REFUSED, algorithm="evolution"),
        Search("joint", limits, HARD, algorithm="nsga2", objective=both),
        Search("joint", limits, REFUSED, algorithm="nsga2", objective=both),
    ]
    return [search._replace(stem=space.stem) for search in found]


def printed(rows: Iterable[list[str]]) -> None:
    """A table in Markdown, each row as soon as it is there."""
    for number, cells in enumerate(rows):
        print("| " + " | ".join(cells) + " |", flush=True)
        if not number:
            print("|" + " ---: |" * len(cells))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--space", choices=SPACES, default="topology")
    parser.add_argument("--seeds", type=int, default=20, help="of each search; 0 for none")
    parser.add_argument("--rewards", action="store_true", help="other algorithms and constraints")
    parser.add_argument("--algorithms", nargs="+", default=[], help="joint search by these alone")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "nahas_testbed")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    space = SPACES[options.space]
    try:
        testbed = Testbed(f"nahas/{space.stem}_fixed")
    except UserError as error:
        print(f"skipped: {error}")
        return 0
    print(f"{testbed.pairs:.2g} pairs, {len(testbed.best)} kinds of networks\n")
    printed(exact_table(testbed, space))
    if options.seeds:
        print(f"\n{options.seeds} seeds, 2,000 trials each\n")
        chosen = rewards(space) if options.rewards else variants(space)
        if options.algorithms:
            chosen = algorithms(space, options.algorithms)
        printed(search_table(chosen, testbed, options.seeds, options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
