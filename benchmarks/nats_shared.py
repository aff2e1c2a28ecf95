"""Weight sharing on NATS-Bench's spaces: `AUTOML_NATS=... python benchmarks/nats_shared.py`.

Every algorithm searches `cells/topology`, `cells/size` and `cells/size_flops` on the colour digits
that ship. What each study ends with is trained from scratch on them, and looked up by `automl
score` in the benchmark's table, on CIFAR-10. Beside them stand the static program, random search
by trials, a network drawn at random from the table and the best one in it, both exact. Columns:

- digits: validation accuracy of the network that was trained from scratch, in percent.
- skip, none: how many of the six edges of a cell are skip connections, and how many no edge.
- MFLOP of the benchmark's network.
- cost of the search, in units of one training of the static program: the supernet's training and
  the derivation, or all trials.
- CIFAR-10: validation accuracy at the end of the benchmark's longest training, and the regret
  against the best of the table (of those within the limit on FLOPs, where there is one).

Means over seeds, some with their population standard deviation. Studies that are completed are
passed over, and others are resumed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Literal, NamedTuple

from commands import automl

from automl_cli.ledger import Ledger
from automl_cli.tables.architectures import LAYERS, OPERATIONS, WIDTHS, size_name, topology_name
from automl_cli.tables.sources import open_table

ROOT = Path(__file__).parent.parent
METRIC = "final_accuracy"
BY_TRIALS = ("static", "random")
SHARING = {name: name for name in ("rsps", "enas", "tunas", "gdas", "setn", "darts")}
TOPOLOGY = {**SHARING, "darts2": "{name: darts, order: 2}"}
SIZE = {**SHARING, "tas": "tas", "fbnetv2": "fbnetv2"}


class Place(NamedTuple):
    """A space, which the recipe `cells/<name>` searches and `nats/<table>` looks up.

    Args:
        algorithms: that share weights, by the titles of their rows.
        limit: on the MFLOP of a network.
        small: settings with `--small`.
    """

    name: str
    table: Literal["topology", "size"]
    algorithms: dict[str, str]
    limit: float = math.inf
    small: tuple[str, ...] = ()

    def study(self, row: str, seed: int) -> str:
        """Its name."""
        return f"{self.name}-{row}-{seed}"


PLACES = (
    Place("topology", "topology", TOPOLOGY),
    Place("size", "size", SIZE),
    # What has 8.4 MFLOP on 8 x 8 digits has at most 137.2 on images of 32 x 32.
    Place("size_flops", "size", SIZE, 137.2, ("constraints={nats_flops: {max: 8.4e+6}}",)),
)
# On the colour digits one training of the largest network takes nine minutes; these are 8 x 8.
SMALL = ("program.data=!Digits {}", "program.epochs=12")
QUICK = (SMALL[0], "program.epochs=1", "program.warmup_epochs=0")


def main() -> None:
    """Run what is missing, and print a table for each space."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=8, help="of random search")
    parser.add_argument("--spaces", help="topology,size say; all by default")
    parser.add_argument("--only", help="these rows alone: darts,tunas say")
    parser.add_argument("--small", action="store_true", help="8 x 8 digits: minutes, not hours")
    parser.add_argument("--quick", action="store_true", help="these, one seed, one epoch")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "nats_shared")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.trials = 1, 2
    options.folder /= "quick" if options.quick else "small" if options.small else "whole"
    options.folder.mkdir(parents=True, exist_ok=True)
    for place in PLACES:
        if options.spaces and place.name not in options.spaces.split(","):
            continue
        rows = [*BY_TRIALS, *place.algorithms]
        if options.only:  # the static program's training is the unit of all costs
            rows = [r for r in rows if r == "static" or r in options.only.split(",")]
        for seed, row in product(range(options.seeds), rows):
            run(place, row, seed, options)
        print(f"\n{place.name}\n", *table(place, rows, options), sep="\n")


def run(place: Place, row: str, seed: int, options: Any) -> None:
    """One study, unless it is completed."""
    name = place.study(row, seed)
    with Ledger(options.folder / ".automl" / "ledger.db") as ledger:
        known = ledger.study(name)
    if known is not None and known.state == "completed":
        return
    line = ["-a", place.algorithms.get(row, "random"), "--seed", str(seed), "--study", name]
    line += ["--executor", "inline", "--no-mlflow"]
    settings = [f"baseline={str(row == 'static').lower()}"]
    if options.small or options.quick:
        settings += [*place.small, *(QUICK if options.quick else SMALL)]
    if row in BY_TRIALS:
        line += ["--trials", "1" if row == "static" else str(options.trials)]
    line += [part for setting in settings for part in ("--set", setting)]
    print(name, file=sys.stderr)
    automl("run", f"cells/{place.name}", *line, folder=options.folder)


def table(place: Place, rows: list[str], options: Any) -> Iterator[str]:
    """Lines of Markdown."""
    studies = {row: [place.study(row, seed) for seed in range(options.seeds)] for row in rows}
    names = [name for of_row in studies.values() for name in of_row]
    limit = [] if math.isinf(place.limit) else ["--within", f"flops={place.limit}"]
    judged = ["--on", f"nats/{place.table}", "--regret", METRIC, *limit, "--json"]
    found = json.loads(automl("score", *names, *judged, folder=options.folder))["studies"]
    scored = {each["study"]: each for each in found}
    spent = seconds(names, options.folder)
    unit = fmean(spent[name] for name in studies["static"])
    lines = list(exact(place))
    for row, of_row in reversed(studies.items()):
        cost = fmean(spent[name] for name in of_row) / unit
        lines.insert(0, line_of(row, [scored[name] for name in of_row], cost))
    head = [name for name in lines[0] if place.table == "topology" or name != "skip, none"]
    yield f"| {' | '.join(head)} |"
    yield "|".join(["", "---", *["---:"] * (len(head) - 1), ""])
    for line in lines:
        yield f"| {' | '.join(line.get(name, '-') for name in head)} |"
    yield f"\n{options.seeds} seeds; random: {options.trials} trials; a training: {unit:.1f} s."


def line_of(row: str, found: list[dict[str, Any]], cost: float) -> dict[str, str]:
    """The cells of a row."""
    edges = [[*each["decisions"].values()] for each in found]
    skip, none = (fmean(e.count(kind) for e in edges) for kind in ("skip_connect", "none"))
    scores = [each["scores"] for each in found]
    return {
        "search": row,
        "digits %": spread([100 * each["value"] for each in found]),
        "skip, none": f"{skip:.1f}, {none:.1f}",
        "MFLOP": f"{fmean(each['flops'] for each in scores):.1f}",
        "cost": f"{cost:.1f}",
        "CIFAR-10 %": spread([each[METRIC] for each in scores]),
        "regret": spread([each["regret"] for each in scores if "regret" in each]),
    }


def exact(place: Place) -> Iterator[dict[str, str]]:
    """A network drawn at random, and the best one, from the table itself."""
    known = open_table("auto", place.table, "cifar10")
    names = [topology_name([*each]) for each in product(OPERATIONS, repeat=6)]
    if place.table == "size":
        names = [size_name([*each]) for each in product(WIDTHS, repeat=LAYERS)]
    facts = [each for name in names if (each := known[name].facts)["flops"] <= place.limit]
    values, best = [each[METRIC] for each in facts], max(facts, key=lambda each: each[METRIC])
    top = best[METRIC]
    flops, regret = fmean(each["flops"] for each in facts), spread([top - v for v in values])
    drawn = ("uniform mean", f"{flops:.1f}", spread(values), regret)
    for cells in (drawn, ("best of the table", f"{best['flops']:.1f}", f"{top:.2f}", "0")):
        yield dict(zip(("search", "MFLOP", "CIFAR-10 %", "regret"), cells, strict=True))


def spread(values: list[float]) -> str:
    """Mean and population standard deviation."""
    return f"{fmean(values):.2f} ± {pstdev(values):.2f}" if values else "-"


def seconds(names: list[str], folder: Path) -> dict[str, float]:
    """What each search took: of its supernet, or of its trials."""
    found = {}
    with Ledger(folder / ".automl" / "ledger.db", read_only=True) as ledger:
        for name in names:
            row = ledger.study(name)
            assert row is not None
            supernets, trials = ledger.supernets(row.id), ledger.trials(row.id)
            spent = (json.loads(trial.metrics)["seconds"] for trial in trials)
            found[name] = supernets[-1].seconds if supernets else sum(spent)
    return found


if __name__ == "__main__":
    main()
