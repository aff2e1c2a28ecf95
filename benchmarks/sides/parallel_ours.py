"""Our side of `parallel`."""

from __future__ import annotations

import sys
import time

from automl_algorithms import catalogue
from automl_algorithms.proposer import Proposer
from automl_cli import executors
from automl_cli.ledger import Ledger
from automl_cli.limits import Limits
from automl_cli.progress import Progress
from automl_cli.runner import Runner
from automl_cli.worker import Setting
from automl_spaces import Objective, Space, floatv, symbolize
from sides.loop_ours import folder
from sides.naps import nap


def wall(trials: int, seconds: float, workers: int) -> float:
    """Seconds of `Runner.run` on workers that are up."""
    space = Space.compile(symbolize(nap)(seconds, floatv(0.0, 1.0)))
    objectives = [Objective("x", "maximize")]
    proposer = Proposer(catalogue.create("random"), space, objectives, seed=0, baseline=False)
    setting = Setting(("x",), imports=("sides.naps",), sys_path=(sys.path[0],))
    executor = executors.create("pool", setting, slots=workers)
    with folder() as path, Ledger(path / "ledger.db") as ledger:
        study = ledger.create_study(
            "naps", recipe="", space="", space_hash="", program_hash="", algorithm="random",
            options="{}", objectives="[]", seed=0, environment="{}",
        )  # fmt: skip
        try:
            executor.warm()
            progress = Progress(objectives, trials)
            runner = Runner(
                ledger, study, space, proposer, executor, progress,
                limits=Limits(trials), folder=path / "trials",
            )  # fmt: skip
            start = time.perf_counter()
            runner.run()
            spent = time.perf_counter() - start
        finally:
            executor.close(kill=True)
        assert progress.counts["completed"] == trials
    return spent
