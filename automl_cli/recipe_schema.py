"""The keys of a recipe: their types, what they mean, their defaults and lowest values."""

from __future__ import annotations

from typing import Any, Final

KEYS: Final = {
    "doc": ("str", "what the recipe is about"),
    "name": ("str", "the study's name; the recipe's file name otherwise"),
    "extends": ("str", "another recipe, whose keys this one changes"),
    "imports": ("list[str]", "modules whose classes and functions the recipe may name"),
    "program": ("", "the static child program"),
    "space": ("", "overlays that put choices into the program: file names, or rules"),
    "objective": ("", "{maximize: metric} or {minimize: metric}, or a list of these"),
    "algorithm": ("", "a name, or {name: ..., option: value}"),
    "budget": ("", "{trials: 25, seconds: 600}: whichever is used up first"),
    "costs": ("list[str]", "costs to compute of every program before it runs: madds, params"),
    "constraints": ("", "{cost: <= 0.3}: proposals outside are not run; with a reward they are"),
    "phases": ("", "[{decide: [path], trials: 50}, ...]: search a part at a time, the rest frozen"),
    "baseline": ("bool", "whether the first trial is the static program"),
    "unique": ("bool", "whether no program is run twice"),
    "seed": ("int", "seed of the search and of every trial"),
    "sharing": ("", "of a weight-sharing search: epochs, on_nan, derived, compare"),
    "run": ("", "executor, workers, timeout, memory, ..."),
    "tracking": ("", "MLflow: enabled, uri, experiment, children"),
}
SECTIONS: Final[dict[str, dict[str, tuple[str, Any, str]]]] = {
    "budget": {
        "trials": ("int | None", None, "trials to finish, failed ones included"),
        "seconds": (
            "float | None",
            None,
            "seconds after which no trial starts, a supernet having half of them at most; "
            "each run counts anew",
        ),
        "epochs": ("float | None", None, "steps of training granted to all trials together"),
        "simulated_seconds": (
            "float | None",
            None,
            "sum of the metric simulated_seconds after which no trial starts",
        ),
        "charge": (
            "str",
            "resumed",
            "cost of a trial that goes on from another: resumed, what it adds; scratch, all",
        ),
    },
    "sharing": {
        "epochs": (
            "int | None",
            None,
            "of the supernet's training; those of the program otherwise",
        ),
        "on_nan": ("str", "stop", "at a loss that is not finite: stop, or skip the step"),
        "derived": ("int", 1, "records the search ends with, to be trained from scratch"),
        "compare": (
            "int",
            0,
            "random records trained from scratch too: how well do shared weights rank them?",
        ),
    },
    "run": {
        "executor": ("str", "pool", "where trials run: inline, pool, ray"),
        "workers": ("int | None", None, "trials at the same time; one per core otherwise"),
        "timeout": ("float | None", None, "seconds that one trial may take"),
        "memory": ("float | None", None, "GB (10^9 bytes) that one trial may use"),
        "threads": ("int", 1, "computing threads per trial"),
        "gpus": ("float", 0.0, "GPUs that one trial is given by the executor ray"),
        "retries": ("int", 2, "further attempts of a trial whose worker was lost"),
        "max_failed": ("int | None", None, "failed trials after which the search stops"),
    },
    "tracking": {
        "enabled": ("bool", True, "whether the study is projected into MLflow"),
        "uri": ("str | None", None, "MLflow's tracking URI; sqlite:///mlflow.db otherwise"),
        "experiment": ("str | None", None, "MLflow's experiment; the recipe's name otherwise"),
        "children": ("str", "auto", "which trials get a run: auto, all, best, none"),
    },
}
LOWEST: Final[dict[str, float]] = {
    "trials": 1,
    "derived": 1,
    "compare": 0,
    "seconds": 1e-3,
    "epochs": 1e-9,
    "simulated_seconds": 1e-9,
    "workers": 1,
    "timeout": 1e-3,
    "memory": 1e-3,
    "threads": 1,
    "gpus": 0.0,
    "retries": 0,
    "max_failed": 1,
}
CHARGES: Final = ("resumed", "scratch")
CHILDREN: Final = ("auto", "all", "best", "none")
ON_NAN: Final = ("stop", "skip")
