"""The case study's table on the data that ships: `python benchmarks/mobilenet_table.py`.

Every row is run by `automl run` in one folder (and resumed there when it is run again); lines are
counted by `automl diff`, metrics come from `automl report`, all as JSON. Columns:

- lines: of YAML that the step from the row before takes; overlays are written once and reused.
- search cost: training time of all trials, in units of one training of the static program; of
  TuNAS the time of the supernet's training and of the derivation, and its one trial is the final
  training.
- accuracy: of the best trial, on the validation part (which it was chosen by) and on the test
  part (which only reports); mean and standard deviation over seeds.
- MAdds of the best trial; they are held near the static network's by rejection before training,
  and by TuNAS's reward.

The value by which a trial was chosen is the best of many noisy ones. With `--again 2` the best
program of every search is trained again from two seeds that no search has used, the same ones for
all rows; two more columns have the means of that.

How long a child is trained decides what there is to be found. `--set program.epochs=24 --set
sharing.epochs=18`, with a folder of its own, is the table of a child that is trained for three
times as long.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from commands import automl

from automl_cli.ledger import Ledger

ROOT = Path(__file__).parent.parent


class Row(NamedTuple):
    """A step of the case study: from a recipe (and options) to a recipe with an algorithm."""

    space: str
    algorithm: str
    before: tuple[str, ...]
    recipe: str
    options: tuple[str, ...] = ()
    child: str = "mobilenet/static"  # whose training is the unit

    @property
    def group(self) -> str:
        """How `automl report` names the row."""
        return f"{self.recipe.replace('/', '-')} {self.algorithm}"

    @property
    def static(self) -> bool:
        """Whether there is nothing to be searched."""
        return not self.before


def family(name: str) -> tuple[Row, ...]:
    """A child that has S1 alone as its space: static, and by each algorithm."""
    child, space = f"mobilenet/{name}", f"mobilenet/{name}_s1"
    return (
        Row(name, "random", (), child, (), child),
        Row(f"{name} -> S1", "random", (child, space), space, (), child),
        Row(f"{name} S1", "bayesian", (space, "-a", "bayesian"), space, ("-a", "bayesian"), child),
        Row(f"{name} S1", "tunas", (space, "-a", "tunas"), space, TUNAS, child),
    )


FRESH = 101  # the first seed of trainings after a search
TUNAS = ("-a", "tunas", "--set", "baseline=false")
STATIC = Row("static", "random", (), "mobilenet/static")
ROWS = (
    STATIC,
    Row("static -> S1", "random", ("mobilenet/static", "mobilenet/s1"), "mobilenet/s1"),
    Row("S1", "bayesian", ("mobilenet/s1", "-a", "bayesian"), "mobilenet/s1", ("-a", "bayesian")),
    Row("static -> S2", "random", ("mobilenet/static", "mobilenet/s2"), "mobilenet/s2"),
    Row("S1", "tunas", ("mobilenet/s1", "-a", "tunas"), "mobilenet/s1", TUNAS),
    Row("S2", "tunas", ("mobilenet/s2", "-a", "tunas"), "mobilenet/s2", TUNAS),
    Row("S3", "tunas", ("mobilenet/s3", "-a", "tunas"), "mobilenet/s3", TUNAS),
    Row("S1, S2 -> S3", "random", ("mobilenet/s1", "mobilenet/s3"), "mobilenet/s3"),
    *family("shallow"),
    *family("tiny"),
    *family("narrow"),
)


def main() -> None:
    """Run every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "mobilenet")
    parser.add_argument("--rows", help="numbers of rows, 1,2,3 say; all by default")
    parser.add_argument("--again", type=int, default=0, help="fresh seeds to train the best from")
    parser.add_argument("--set", action="append", default=[], help="change a key in all recipes")
    parser.add_argument("-o", "--output", type=Path, help="write the table as Markdown")
    options = parser.parse_args()
    chosen = [ROWS[int(n) - 1] for n in options.rows.split(",")] if options.rows else ROWS
    options.folder.mkdir(parents=True, exist_ok=True)
    workers = ["--workers", str(options.workers)] if options.workers else []
    settings = [part for each in options.set for part in ("--set", each)]
    for seed in range(options.seeds):
        for row in chosen:
            once = row.static or row.algorithm == "tunas"
            trials = [] if once else ["--trials", str(options.trials)]
            line = ["run", row.recipe, *row.options, *trials, *workers, *settings]
            line += ["--seed", str(seed)]
            automl(*line, folder=options.folder)
            train_again(row, seed, options)
    found = json.loads(automl("report", "mobilenet-", "--json", folder=options.folder))
    groups = {g["group"]: g for g in found["groups"]}
    children = [row for row in ROWS if row.static and row.group in groups]
    units = {row.recipe: groups[row.group]["seconds"] for row in children}
    lines = [line_of(row, groups[row.group], units, options) for row in chosen]
    seeds = f"{options.seeds} seed" + "s" * (options.seeds != 1)
    lengths = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in units.items())
    text = "\n".join(table(lines))
    text += f"\n\n{seeds}, {options.trials} trials a search; one training: {lengths}.\n"
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def line_of(row: Row, group: dict[str, Any], units: dict[str, float], options: Any) -> list[str]:
    """The cells of a row.

    Args:
        units: seconds of a training of each static program, by its recipe.
    """
    unit = units.get(row.child, math.nan)
    metrics = group["metrics"]
    lines = "-"
    if row.before:
        change = json.loads(automl("diff", *row.before, "--json", folder=options.folder))
        lines = f"+{change['lines_added']}"
        if change["overlay_lines"][0]:
            lines += f" (overlay {change['overlay_lines'][0]})"
    seconds = group["seconds"]
    if row.algorithm == "tunas":
        seconds = supernet_seconds(row, options)

    def accuracy(name: str) -> str:
        mean, spread = 100 * metrics[name]["mean"], 100 * metrics[name]["std"]
        return f"{mean:.2f}" + (f" ± {spread:.2f}" if options.seeds > 1 else "")

    cells = [
        row.space,
        "-" if row.static else row.algorithm,
        lines,
        "-" if row.static else f"{seconds / unit:.1f}",
        "1",
        accuracy("accuracy"),
        accuracy("test_accuracy"),
        f"{metrics['madds']['mean'] / 1e6:.3f} M",
    ]
    again = [m for seed in range(options.seeds) for m in train_again(row, seed, options)]
    if again:
        cells += [f"{100 * mean(m[n] for m in again):.2f}" for n in ("accuracy", "test_accuracy")]
    return cells


def train_again(row: Row, seed: int, options: Any) -> list[dict[str, float]]:
    """The best program of a study from fresh seeds: the metrics of each training."""
    study = f"{row.recipe.replace('/', '-')}-{row.algorithm}-{seed}"
    found = []
    for fresh in range(FRESH, FRESH + options.again):
        best = options.folder / f"best-{study}.yaml"
        if not best.exists():
            automl("best", study, "-o", best.name, folder=options.folder)
        line = ["run", f"./{best.name}", "--seed", str(fresh), "--study", f"again-{study}-{fresh}"]
        done = json.loads(automl(*line, "--no-mlflow", "--json", folder=options.folder))
        found.append(done["best"]["metrics"])
    return found


def supernet_seconds(row: Row, options: Any) -> float:
    """What the supernet of a row took, mean over seeds."""
    with Ledger(options.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        spent = []
        for seed in range(options.seeds):
            study = ledger.study(f"{row.recipe.replace('/', '-')}-tunas-{seed}")
            assert study is not None
            spent.append(ledger.supernets(study.id)[-1].seconds)
    return mean(spent)


def table(rows: list[list[str]]) -> list[str]:
    """Markdown lines of a table."""
    head = ["search space", "algorithm", "lines", "search cost", "train cost",
            "validation %", "test %", "MAdds", "again: validation %", "again: test %"]  # fmt: skip
    head = head[: len(rows[0])]
    rule = ["---"] * 2 + ["---:"] * (len(head) - 2)
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]


if __name__ == "__main__":
    main()
