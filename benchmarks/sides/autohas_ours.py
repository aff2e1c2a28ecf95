"""Our side of `autohas_cost`."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import torch

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.recipe import load_recipe, static_program
from automl_spaces.space import Space

torch.set_num_threads(1)
EPOCHS = 2
NEVER = 1_000_000  # steps


def spend(kind: str, algorithm: str = "autohas") -> float:
    """Seconds of CPU time of all steps."""
    run = _run(kind, algorithm)
    start = time.process_time()
    run()
    return time.process_time() - start


def memory(kind: str, algorithm: str = "autohas") -> float:
    """MB at the peak, above what the process has before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _run(kind, algorithm)()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _run(kind: str, algorithm: str) -> Callable[[], None]:
    unjudged = kind == "unjudged"
    recipe = load_recipe(f"autohas/{'weight_decay_arch' if unjudged else kind}")
    space = Space.compile(recipe.template)
    if kind == "static":
        program = static_program(recipe, space).build()
        program.epochs = EPOCHS

        def train() -> None:
            for _ in range(EPOCHS):
                program.train_epoch()

        program.optimizer  # builds the network  # noqa: B018
        next(iter(program.data.train.batches(1)))
        return train
    net = lower(space)
    next(iter(net.program.data.train.batches(1)))
    search = catalogue.create(algorithm, {"every": NEVER} if unjudged else {})
    loop = Loop(net, search, Task(recipe.objectives[0]), epochs=EPOCHS)

    def run() -> None:
        for _ in loop:
            pass

    return run
