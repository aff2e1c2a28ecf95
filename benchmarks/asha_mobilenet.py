"""ASHA against random search with full trainings, at equal wall time, on real training.

`python benchmarks/asha_mobilenet.py`: MobileNetV2 on ColourMNIST5k (the recipe `mobilenet/s1` with
the hyperparameters of SGD in the space too), two workers, the same seconds for both, one after the
other so that they share no core. Prints the best validation accuracy of each seed and the medians.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median

from commands import automl

ROOT = Path(__file__).parent.parent
ALGORITHMS = ("random", "asha")


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", default="mobilenet/s1")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "asha")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[float]] = {name: [] for name in ALGORITHMS}
    for seed in range(options.first, options.first + options.seeds):
        for name in ALGORITHMS:
            line = ["run", options.recipe, "-s", "+overlays/sgd_hyperparameters", "-a", name]
            line += ["--seconds", str(options.seconds), "--workers", str(options.workers)]
            line += ["--seed", str(seed), "--set", "budget.trials=null", "--no-mlflow", "--json"]
            line += ["--set", "baseline=false"]
            done = json.loads(automl(*line, folder=options.folder))
            best = done["best"]["metrics"]["accuracy"] if done["best"] else 0.0
            found[name].append(best)
            print(f"seed {seed} {name}: {best:.4f} after {done['counts']}", flush=True)
    for name, values in found.items():
        print(f"{name}: median {median(values):.4f} of {len(values)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
