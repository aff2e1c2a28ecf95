"""Our side of `weight_sharing`."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from typing import Any

import torch

from automl_algorithms.weight_sharing.norms import batch_statistics
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_cli.recipe import load_recipe
from automl_spaces import oneof
from automl_spaces.space import Space

torch.set_num_threads(1)
_steps: dict[str, Callable[[], None]] = {}


def prepare(names: list[str]) -> None:
    """Build every network once."""
    for kind in ("static", "path_largest", "path_random", "reward"):
        _steps[kind] = _mobilenet(kind)
    for n in (2, 5):
        _steps[f"mixture_{n}"] = _cells(names[:n])
    for i, name in enumerate(names):
        _steps[f"alone_{i}"] = _cells([name])


def step(kind: str) -> float:
    """Seconds of CPU time."""
    start = time.process_time()
    _steps[kind]()
    return time.process_time() - start


def memory(kind: str) -> float:
    """MB that ten steps need above what the process has before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = _mobilenet(kind)
    for _ in range(10):
        run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _mobilenet(kind: str) -> Callable[[], None]:
    space = Space(load_recipe("mobilenet/s3").template)
    largest = space.decode({p.id: max(p.numbers) for p in space.points})
    if kind == "static":
        return _training(space.materialise(largest).build().model, (64, 3, 32, 32))
    net, rng = lower(space), random.Random(0)

    def choose() -> None:
        net.choose(largest if kind == "path_largest" else space.sample(rng))

    if kind == "reward":
        x = torch.randn(64, 3, 32, 32).contiguous(memory_format=torch.channels_last)

        @torch.no_grad()
        def reward() -> None:
            choose()
            with batch_statistics(net.model):
                net.model.eval()
                net.model(x)

        return reward
    return _training(net.model, (64, 3, 32, 32), choose)


def _cells(names: list[str]) -> Callable[[], None]:
    recipe = load_recipe("cells/topology", space=["none"])
    edges = [[oneof(names) if len(names) > 1 else names[0] for _ in range(n)] for n in (1, 2, 3)]
    program = recipe.program.clone().rebind({"model.cell": edges, "model.channels": 16})
    if len(names) == 1:
        return _training(program.build().model, (64, 3, 32, 32))
    net: Supernet = lower(Space(program))
    alphas = {i: torch.zeros(gate.size, requires_grad=True) for i, gate in net.gates.items()}

    def mix() -> None:
        net.mix({i: alpha.softmax(0) for i, alpha in alphas.items()})

    return _training(net.model, (64, 3, 32, 32), mix)


def _training(
    model: Any, shape: tuple[int, ...], before: Callable[[], None] = lambda: None
) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)

    def run() -> None:
        before()
        model.train()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    return run
