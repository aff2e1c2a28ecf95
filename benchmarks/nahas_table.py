"""NAHAS's table on the data that ships: `python benchmarks/nahas_table.py`.

Every row is run by `automl run` in one folder, and resumed there when it is run again. Columns:

- validation and test accuracy of the best trial, in percent; with `--final 8` those of its program
  trained anew for so many epochs, from a seed that no search has used.
- latency and energy of its network on its accelerator, by the analytic model, in units of the best
  row of its group too: the groups have limits of their own, as in the paper's table.
- hypervolume of validation accuracy and latency over all trials, as a share of the rectangle from
  (0, the group's limit) to (100 %, 0 ms).
- search cost: time of all trials, of one-shot search of the supernet and the derivation, in units
  of one training of the space's static program. The trials of one-shot search are its final
  trainings.

All are means over seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from commands import automl

from automl_algorithms.pareto import hypervolume
from automl_cli.ledger import Ledger
from automl_cli.output import best_rows
from automl_cli.recipe import load_recipe
from automl_cli.study_results import objectives_of

ROOT = Path(__file__).parent.parent


class Row(NamedTuple):
    """A line of the table: a recipe, and what it is called."""

    recipe: str
    title: str

    @property
    def one_shot(self) -> bool:
        """Whether it trains a supernet."""
        return "oneshot" in self.recipe

    @property
    def static(self) -> bool:
        """Whether it is one training, without a search."""
        return self.recipe.endswith("static")


GROUPS = (
    (
        Row("static", "MobileNetV2, baseline accelerator"),
        Row("fixed", "IBN-only, fixed accelerator"),
        Row("phase", "IBN-only, accelerator first"),
        Row("joint", "IBN-only NAHAS, multi-trial"),
        Row("front", "IBN-only NAHAS, multi-trial, front"),
        Row("oneshot_front", "IBN-only NAHAS, one-shot"),
    ),
    (
        Row("fused_fixed", "with fused IBN, fixed accelerator"),
        Row("fused_joint", "with fused IBN, NAHAS multi-trial"),
        Row("fused_oneshot_front", "with fused IBN, NAHAS one-shot"),
    ),
    (
        Row("efficientnet_static", "EfficientNet, baseline accelerator"),
        Row("efficientnet_fixed", "EfficientNet-based, fixed accelerator"),
        Row("efficientnet_joint", "EfficientNet-based NAHAS, multi-trial"),
        Row("efficientnet_oneshot_front", "EfficientNet-based NAHAS, one-shot"),
    ),
)
FINAL, FRESH = "final-", 1000  # names and seeds of trainings after a search
HEAD = ("model", "validation %", "test %", "latency ms", "energy mJ", "area mm2",
        "hypervolume", "search cost")  # fmt: skip


class Found(NamedTuple):
    """What a row came to: means over seeds.

    Args:
        best: metrics of the best trials.
        volume: hypervolume as a share.
        seconds: of the search.
    """

    best: dict[str, float]
    volume: float
    seconds: float


def run(row: Row, seed: int, options: Any) -> None:
    """Run a row from a seed; then train the best program anew, if that is asked for."""
    line = [f"nahas/{row.recipe}", "--seed", str(seed), "--study", f"{row.recipe}-{seed}"]
    for setting in options.set:
        line += ["--set", setting]
    if row.recipe == "phase":
        first = max(1, options.trials // 5)  # the recipe's share
        trials = {"accelerator": first, "model": options.trials - first}
        phases = ", ".join(f"{{decide: {key}, trials: {n}}}" for key, n in trials.items())
        line += ["--set", f"phases=[{phases}]"]
    if not row.static and not row.one_shot:
        line += ["--trials", str(options.trials)]
    automl("run", *line, "--no-mlflow", folder=options.folder)
    if options.final:
        best = f"best-{row.recipe}-{seed}.yaml"
        automl("best", f"{row.recipe}-{seed}", "-o", best, folder=options.folder)
        line = [f"./{best}", "--seed", str(FRESH + seed), "--study", f"{FINAL}{row.recipe}-{seed}"]
        line += ["--set", f"program.epochs={options.final}", "--no-mlflow"]
        automl("run", *line, folder=options.folder)


def found(row: Row, limit: float, options: Any) -> Found:
    """What a row came to, from the ledger."""
    best, volumes, seconds = [], [], []
    with Ledger(options.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        for study in filter(
            None, (ledger.study(f"{row.recipe}-{n}") for n in range(options.seeds))
        ):
            trials = [t.metrics for t in best_rows(ledger, study, objectives_of(study))]
            again = ledger.study(FINAL + study.name) if options.final else None
            last = trials if again is None else [json.loads(ledger.trials(again.id)[0].metrics)]
            best.append(last[0])
            points = [(t["accuracy"], -t["latency_ms"]) for t in trials]
            volumes.append(hypervolume(points, (0.0, -limit)) / limit)
            if row.one_shot:
                seconds.append(ledger.supernets(study.id)[-1].seconds)
            else:
                every = ledger.trials(study.id)
                seconds.append(sum(json.loads(t.metrics).get("seconds", 0.0) for t in every))
    mean = {name: fmean(metrics[name] for metrics in best) for name in best[0]}
    return Found(mean, fmean(volumes), fmean(seconds))


def asked(groups: tuple[tuple[Row, ...], ...], recipes: list[str]) -> list[tuple[Row, ...]]:
    """The rows of these recipes, of all for none; groups without any are left out."""
    unknown = set(recipes) - {row.recipe for group in groups for row in group}
    if unknown:
        raise SystemExit(f"no row of the table: {', '.join(sorted(unknown))}")
    kept = [tuple(r for r in group if not recipes or r.recipe in recipes) for group in groups]
    return [group for group in kept if group]


def whole(row: Row) -> tuple[Row, ...]:
    """The group that a row belongs to."""
    (group,) = (each for each in GROUPS if row in each)
    return group


def unit(row: Row) -> Row:
    """The static program of a row's group, or where it has none of its own, of the first."""
    return next((each for each in whole(row) if each.static), GROUPS[0][0])


def lines(group: tuple[Row, ...], training: float, options: Any) -> list[list[str]]:
    """The cells of a group's rows."""
    limit = load_recipe(f"nahas/{whole(group[0])[-1].recipe}").bounds["latency_ms"][1]
    results = [found(row, limit, options) for row in group]
    least = {n: min(r.best[n] for r in results) for n in ("latency_ms", "energy_mj")}

    def ratio(result: Found, name: str) -> str:
        value = result.best[name]
        times = value / least[name]
        return f"{value:.4f}" + (f" ({times:.2f}x)" if times > 1 else "")

    return [
        [
            row.title,
            f"{100 * result.best['accuracy']:.2f}",
            f"{100 * result.best['test_accuracy']:.2f}",
            ratio(result, "latency_ms"),
            ratio(result, "energy_mj"),
            f"{result.best['area_mm2']:.1f}",
            f"{result.volume:.3f}",
            "-" if row.static else f"{result.seconds / training:.1f}",
        ]
        for row, result in zip(group, results, strict=True)
    ]


def main() -> None:
    """Run every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--set", action="append", default=[], help="of every recipe: key=value")
    parser.add_argument("--final", type=int, help="epochs, to train the best programs anew")
    parser.add_argument("--ibn", action="store_true", help="the first group alone")
    parser.add_argument("--rows", nargs="+", default=[], metavar="RECIPE", help="these alone")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "nahas")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    groups = asked(GROUPS[:1] if options.ibn else GROUPS, options.rows)
    units = dict.fromkeys(unit(group[0]) for group in groups)
    rows = dict.fromkeys([*units, *(row for group in groups for row in group)])
    for seed in range(options.seeds):
        for row in rows:
            run(row, seed, options)
    trainings = {row: found(row, 1.0, options).seconds for row in units}
    print("| " + " | ".join(HEAD) + " |")
    print("| --- |" + " ---: |" * (len(HEAD) - 1))
    for group in groups:
        for cells in lines(group, trainings[unit(group[0])], options):
            print("| " + " | ".join(cells) + " |")
    seeds = f"{options.seeds} seed" + "s" * (options.seeds != 1)
    times = ", ".join(f"{each:.1f} s ({row.recipe})" for row, each in trainings.items())
    print(f"\n{seeds}, {options.trials} trials a search; one static training: {times}.")


if __name__ == "__main__":
    main()
