"""NATS-Bench's table by its own protocol: `AUTOML_NATS=... python benchmarks/nats_table.py`.

RANDOM, REA and REINFORCE with the published constants on the topology space, RANDOM and REA on the
size space, 500 seeds each, on every data set that the source holds: fifteen campaigns of
`automl run ... --seeds 500` and one `automl report`. With `--defaults` our own defaults run
beside them at the same budgets.

The source is found as docs/benchmarks_nats.md says. A table that lacks a data set, or the times,
leaves its rows out, and the output says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PUBLISHED = {
    "random": "random",
    "evolution": "{name: evolution, preset: nats}",
    "reinforce": "{name: reinforce, preset: nats}",
}
DEFAULTS = ("evolution", "reinforce", "ppo", "local_search", "gaussian_process", "bayesian")
SLOW = {"gaussian_process": 50, "bayesian": 20}  # seeds at most: these fit a model
TOLERANCE = {"cifar10": 0.10, "cifar100": 0.15, "imagenet16-120": 0.15}


class Campaign(NamedTuple):
    """One group of the table."""

    recipe: str
    label: str
    algorithm: str
    seeds: int
    published: bool


def main() -> int:
    """Run every campaign that is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--defaults", action="store_true", help="our defaults beside them")
    parser.add_argument("--only", help="run these algorithms alone: random,bananas say")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "nats")
    parser.add_argument("-o", "--output", type=Path, help="write the report as HTML")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    missing = [c for c in campaigns(options) if not run(c, options.folder)]
    spent = time.perf_counter() - begun
    output = ["-o", str(options.output.absolute())] if options.output else []
    automl("report", "nats-", *output, folder=options.folder)
    reported = time.perf_counter() - begun - spent
    print(f"searches {spent:.0f} s, report {reported:.0f} s")
    for campaign in missing:
        print(f"left out: {campaign.recipe} {campaign.label}: the source lacks it")
    return 0


def campaigns(options: argparse.Namespace) -> list[Campaign]:
    """The groups of the table, published ones first."""
    wanted = options.only.split(",") if options.only else None
    found = []
    for space, data in (
        *(("topology", d) for d in TOLERANCE),
        *(("size", d) for d in TOLERANCE),
    ):
        recipe = f"nats/{space}" + {"cifar10": "", "imagenet16-120": "_imagenet16"}.get(
            data, f"_{data}"
        )
        for name, algorithm in PUBLISHED.items():
            if space == "topology" or name != "reinforce":
                found.append(Campaign(recipe, f"{name}-nats", algorithm, options.seeds, True))
        if options.defaults:
            found += [
                Campaign(
                    recipe, name, name, min(options.seeds, SLOW.get(name, options.seeds)), False
                )
                for name in DEFAULTS
            ]
    return [c for c in found if wanted is None or c.label in wanted]


def run(campaign: Campaign, folder: Path) -> bool:
    """One campaign; False when the source does not hold what it needs."""
    settings = ["--set", "unique=false"] if campaign.published else []
    line = ["run", campaign.recipe, "-a", campaign.algorithm, *settings, "--no-mlflow"]
    line += ["--seeds", str(campaign.seeds)]
    print(f"{campaign.recipe} {campaign.label} ...", file=sys.stderr)
    line = [sys.executable, "-m", "automl_cli", *line]
    done = subprocess.run(line, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    print("\n".join(done.stderr.strip().splitlines()[-3:]), file=sys.stderr)
    return done.returncode == 0


def automl(*arguments: str, folder: Path) -> None:
    """A command of ours whose output is ours."""
    subprocess.run([sys.executable, "-m", "automl_cli", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
