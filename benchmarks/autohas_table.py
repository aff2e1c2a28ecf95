"""What AutoHAS finds is worth: `python benchmarks/autohas_table.py`.

For each recipe of `autohas/` with a space, or with overlays that give it one, from each seed: its
static program, what `autohas` finds with its default options and with a finish, and what random and
Bayesian search find in as many trials as the dearest of these costs in trainings, rounded up. All
are run by `automl run` in one folder, and resumed there when the command is run again. Columns:

- search cost: in units of one training of the static program, which is the median time of an epoch
  and its evaluation, times epochs; the final training comes on top.
- validation and test accuracy: of a network that is trained from scratch with what was found, from
  the same seeds in all rows: mean and standard error over seeds.
- gain: over the static program trained from the same seed, in points; mean and standard error.
- chosen by: the best trial's own validation accuracy. It is the best of several noisy values, so
  that its settings, trained again, are worth less; they count.
- found: the settings and how often; those that a search says it has not identified have a `?`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

from commands import automl

from automl_cli.ledger import Ledger

ROOT = Path(__file__).parent.parent
ELSEWHERE = 100  # seeds of searches by trials: none of their trainings is one that is compared
BOOK = Path(".automl", "ledger.db")
SHOWN = 3  # decisions: more are told as a number


class Case(NamedTuple):
    """A search space.

    Args:
        recipe: of the family `autohas/`.
        title: of its table.
        space: overlays, where the recipe has none.
    """

    recipe: str
    title: str
    space: tuple[str, ...] = ()


BOTH = ("weight_decay", "mixup")
CASES = {
    "noisy": Case("noisy_mixup", "Mixup, digits with wrong labels"),
    "text": Case("text", "Learning rate and weight decay, text"),
    "decay": Case("weight_decay", "Weight decay, colour digits"),
    "path": Case("efficientnet", "Drop path, digits with wrong labels"),
    "mixup": Case("mixup", "Mixup, colour digits"),
    "arch": Case("arch", "Architecture, colour digits"),
    "joint": Case("weight_decay_arch", "Weight decay and architecture, colour digits"),
    "both": Case("weight_decay_mixup", "Weight decay and mixup, colour digits"),
    "mixup_arch": Case("mixup_arch", "Mixup and architecture, colour digits"),
    "sequential": Case("weight_decay_then_mixup", "Weight decay, then mixup, colour digits"),
    "noisy_both": Case("static_noisy", "Weight decay and mixup, digits with wrong labels", BOTH),
    "digits_both": Case("static_digits", "Weight decay and mixup, digits", BOTH),
    "mnist_both": Case("static_mnist5k", "Weight decay and mixup, MNIST", BOTH),
}
STATIC = "static"
SHARED = (
    "autohas",
    "autohas, finish: 2",
    "autohas, finish: 3",
    "autohas, finish: 4",
    "autohas, finish: 5",
)
TRIALS = ("random", "bayesian")
ROWS = (STATIC, *SHARED, *TRIALS)
HEAD = ("", "seeds", "search cost", "validation %", "gain", "test %", "gain", "chosen by", "found")


class Found(NamedTuple):
    """What a search came to.

    Args:
        decisions: by the ids of their points.
        metrics: of the network that was trained with them.
        seconds: of the supernet, or of a training of the static program.
        own: what it was chosen by: the best trial's accuracy.
        open: ids of what is not identified.
    """

    decisions: dict[str, Any]
    metrics: dict[str, float]
    seconds: float = 0.0
    own: float | None = None
    open: frozenset[str] = frozenset()


class Bench:
    """Runs rows of a case, each from a seed.

    Args:
        case: of `CASES`.
        options: of the command.
    """

    def __init__(self, case: str, options: Any) -> None:
        self.name, self.case, self.options = case, CASES[case], options
        self.trained: dict[str, dict[str, float]] = {}  # by decisions and seed
        self.search = [f"autohas/{self.case.recipe}"]
        for name in self.case.space:
            self.search += ["-s", f"+overlays/{name}"]

    def found(self, row: str, seed: int, trials: int) -> Found | None:
        """A row from a seed; None where it is not there and is not to be run.

        Args:
            trials: of a search by trials.
        """
        study = f"{self.name}-{row.replace(', finish: ', '-')}-{seed}"
        if row in TRIALS:
            return self._by_trials(row, f"{study}-{trials}", seed, trials)
        # The first trial is the static program; a worker's reports are timed as they come.
        algorithm = ["-a", "random", "--trials", "1", "--executor", "pool", "--workers", "1"]
        if row != STATIC:
            algorithm = ["-a", f"{{name: {row}}}", "--set", "baseline=false"]
        data = self._run(self.search, study, seed, *algorithm)
        if data is None:
            return None
        best = data["best"]
        self.trained[_key(best["decisions"], seed)] = best["metrics"]
        if row == STATIC:
            return Found(best["decisions"], best["metrics"], self._training(study))
        net = data["supernet"]
        left = frozenset(d["id"] for d in net["decisions"] if not d["identified"])
        return Found(best["decisions"], best["metrics"], net["seconds"], None, left)

    def _by_trials(self, row: str, study: str, seed: int, trials: int) -> Found | None:
        budget = ["-a", row, "--trials", str(trials)]
        data = self._run(self.search, study, ELSEWHERE + seed, *budget)
        if data is None:
            return None
        best = data["best"]
        key = _key(best["decisions"], seed)
        if key not in self.trained:
            again = f"{self.name}-{sha256(key.encode()).hexdigest()[:8]}-{seed}"
            static = self.options.folder / f"{again}.yaml"
            if not static.exists():
                automl("best", study, "-o", static.name, folder=self.options.folder)
            repeated = self._run([static.name], again, seed)
            if repeated is None:
                return None
            self.trained[key] = repeated["best"]["metrics"]
        return Found(best["decisions"], self.trained[key], 0.0, best["metrics"]["accuracy"])

    def _training(self, name: str) -> float:
        """Seconds of a study's first trial, without the beginning of its process."""
        with Ledger(self.options.folder / BOOK, read_only=True) as ledger:
            study = ledger.study(name)
            assert study is not None
            times = [report.time for report in ledger.reports(study.id, 0)]
        return len(times) * median(b - a for a, b in pairwise(times))

    def _run(
        self, recipe: Sequence[str], study: str, seed: int, *more: str
    ) -> dict[str, Any] | None:
        if self.options.print and study not in self.options.known:
            return None
        line = ["run", *recipe, "--study", study, "--seed", str(seed), "--executor", "inline"]
        line += [*more, "--no-mlflow", "--json"]
        if self.options.quick:
            line += ["--set", "program.epochs=3"]
        return json.loads(automl(*line, folder=self.options.folder))  # type: ignore[no-any-return]


def _key(decisions: dict[str, Any], seed: int) -> str:
    return json.dumps([seed, decisions], sort_keys=True)


def told(values: Sequence[float]) -> str:
    """Mean and standard error, in percent."""
    text = f"{100 * fmean(values):.2f}"
    error = 100 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return text if error is None else f"{text} ± {error:.2f}"


def settings(results: Iterable[Found]) -> str:
    """What was found, and how often."""
    each = list(results)
    if len(each[0].decisions) > SHOWN:
        left = fmean(len(found.open) for found in each)
        return f"{len(each[0].decisions)} decisions, {left:.1f} open"
    texts = [
        " ".join(f"{value:g}{'?' * (id in found.open)}" for id, value in found.decisions.items())
        for found in each
    ]
    return ", ".join(f"{text} ({n})" if n > 1 else text for text, n in Counter(texts).most_common())


def table(bench: Bench, options: Any) -> list[str]:
    """Run a case; the lines of its table."""
    static: dict[int, Found] = {}
    lines = ["| " + " | ".join(HEAD) + " |", "| --- |" + " ---: |" * (len(HEAD) - 2) + " --- |"]
    unit, dearest = math.nan, 1.0
    for row in ROWS:
        if row not in options.rows and row != STATIC:
            continue
        trials = options.trials or math.ceil(dearest)
        every = {s: bench.found(row, s, trials) for s in options.seeds}
        found = {s: each for s, each in every.items() if each is not None}
        if not found:
            continue
        if row == STATIC:
            static = found
            unit = median(each.seconds for each in found.values())
        cost = trials if row in TRIALS else median(f.seconds for f in found.values()) / unit
        dearest = max(dearest, cost)
        cells = [row, str(len(found)), "-" if row == STATIC else f"{cost:.2g}"]
        for name in ("accuracy", "test_accuracy"):
            values = {s: each.metrics[name] for s, each in found.items()}
            gains = [value - static[s].metrics[name] for s, value in values.items() if s in static]
            cells += [told(list(values.values())), "-" if row == STATIC else told(gains)]
        own = [each.own for each in found.values() if each.own is not None]
        cells += [f"{100 * fmean(own):.2f}" if own else "-", settings(found.values())]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", f"One static training: {unit:.1f} s."]


def main() -> None:
    """Run the cases and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rows", help=f"of {'; '.join(ROWS)}, separated by ';'")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="0,1,2,3,4 by default")
    parser.add_argument("--trials", type=int, help="rather than what the dearest search costs")
    parser.add_argument("--quick", action="store_true", help="trainings of three epochs")
    parser.add_argument("--print", action="store_true", help="what has been run, nothing else")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "autohas")
    options = parser.parse_args()
    options.rows = options.rows.split(";") if options.rows else list(ROWS)
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    options.folder.mkdir(parents=True, exist_ok=True)
    options.known = set()
    book = options.folder / BOOK
    if book.exists():
        with Ledger(book, read_only=True) as ledger:
            options.known = {s.name for s in ledger.studies() if s.state == "completed"}
    for name in options.only.split(",") if options.only else CASES:
        print(f"\n{CASES[name].title}\n", *table(Bench(name, options), options), sep="\n")


if __name__ == "__main__":
    main()
