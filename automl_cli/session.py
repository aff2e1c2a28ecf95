"""One `automl run`: everything that a study needs is opened, used and closed here."""

from __future__ import annotations

import time
from typing import Any

from automl_algorithms.constraints import needed
from automl_cli import executors, studies
from automl_cli.checks import marked
from automl_cli.display import Display, say
from automl_cli.display_supernet import SupernetView
from automl_cli.errors import INTERRUPTED
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.mlflow_process import Projection
from automl_cli.output import announce, closing, summary
from automl_cli.recipe import Recipe, import_folders
from automl_cli.search import Search
from automl_cli.shared_results import shared_result
from automl_cli.worker import Setting

_SHORT_WAIT, _LONG_WAIT = 1.5, 60.0  # seconds for MLflow at the end, silently and with a line


class Session:
    """Runs a recipe as a study.

    Args:
        study_name: instead of the default, recipe-algorithm-seed.
        new: start another study when there is one of that name.
        accept_changes: resume a study although the recipe changed.
        as_json: print the summary as JSON on standard output, and no tables.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        study_name: str | None = None,
        new: bool = False,
        accept_changes: bool = False,
        as_json: bool = False,
    ) -> None:
        self.recipe, self.as_json = recipe, as_json
        self._name, self._new, self._accept_changes = study_name, new, accept_changes

    def run(self, resume_line: str) -> int:
        """Search; returns the exit code. Nothing is written before all of the recipe is checked."""
        search = Search.of(self.recipe)
        with marked(self.recipe.marks.get("run"), "run"):
            executor = make_executor(self.recipe)
        try:
            with Ledger(studies.ledger_path()) as ledger:
                name = self._name or studies.default_name(self.recipe)
                if self._new:
                    name = studies.free_name(ledger, name)
                with studies.open_study(
                    ledger, self.recipe, search.space, name, accept_changes=self._accept_changes
                ) as study:
                    return self._run(search, ledger, study, executor, resume_line)
        finally:
            executor.close(kill=True)

    def _run(
        self,
        search: Search,
        ledger: Ledger,
        study: StudyRow,
        executor: executors.Executor,
        resume_line: str,
    ) -> int:
        recipe, progress = self.recipe, search.progress
        announce(recipe, search.space, study, quiet=self.as_json)
        ledger.set_study_state(study.id, "running")
        projection = self._projection(ledger, study)
        warnings = projection.warning if projection is not None else None
        shared = search.shared
        display = Display(
            progress,
            study.name,
            quiet=self.as_json,
            warnings=warnings,
            supernet=SupernetView(search.space, shared) if shared is not None else None,
        )
        runner = search.runner(ledger, study, executor, display.finished)
        state, code = "interrupted", INTERRUPTED
        try:
            with display:
                if shared is not None:
                    shared.run(ledger, study, studies.study_folder(study.name), display.trained)
                    progress.trials = shared.count(baseline=recipe.baseline)
                    display.trials_begin()
                runner.run()
            failed = runner.stopped_by == "failures" or not progress.counts["completed"]
            state, code = ("failed", 1) if failed else ("completed", 0)
        except KeyboardInterrupt:
            executor.close(kill=True)
        except Exception:
            state = "failed"
            raise
        finally:
            progress.ended = time.monotonic()
            ledger.set_study_state(study.id, state)
            note = _await(projection) if projection is not None else None
        supernet = None if shared is None else shared_result(ledger, study, shared)
        if self.as_json:
            summary(study, progress, state, supernet)
            return code
        all_trained = shared is not None and runner.stopped_by == "exhausted"
        stopped_by = "" if all_trained else runner.stopped_by
        closing(ledger, study, recipe, progress, stopped_by, state, note, resume_line, supernet)
        return code

    def _projection(self, ledger: Ledger, study: StudyRow) -> Projection | None:
        if not self.recipe.tracking["enabled"]:
            return None
        tracking = self.recipe.tracking
        projection = Projection(
            ledger.path,
            study,
            tracking_uri=tracking["uri"],
            experiment=tracking["experiment"] or self.recipe.name,
            children=tracking["children"],
            best_recipe="automl_cli.study_results:recipe_maker",
        )
        projection.start()
        return projection


def make_executor(recipe: Recipe) -> executors.Executor:
    """Where the trials of a recipe run."""
    asked = needed(recipe.objectives, recipe.constraints)
    metrics = tuple(name for name in asked if name not in recipe.costs)
    setting = Setting(metrics, recipe.imports, import_folders(recipe.path))
    run = recipe.run
    options: dict[str, Any] = {"timeout": run["timeout"]}
    if run["executor"] == "inline":
        ignored = [k for k in ("workers", "memory") if run[k] not in (None, 1)]
        if ignored:
            say(f"warning: the executor inline has no {' and no '.join(ignored)}; pool has")
    if run["executor"] == "ray":
        options["gpus"] = run["gpus"]
    elif run["gpus"]:
        say(f"warning: the executor {run['executor']} gives nobody GPUs; ray does")
    if run["executor"] != "inline":
        options |= {
            "slots": run["workers"],
            "memory": run["memory"],
            "threads": run["threads"],
            "preload": _preload(recipe),
        }
    return executors.create(run["executor"], setting, **options)


def _await(projection: Projection) -> str:
    """Wait until MLflow has everything, or says why not; a second Ctrl-C ends the waiting."""
    try:
        report = projection.finish(_SHORT_WAIT)
        if not report.ok and not report.unreachable:
            say("MLflow gets the rest (Ctrl-C leaves that to the background) ...")
            report = projection.finish(_LONG_WAIT)
        return "" if report.message in projection.told else report.message
    except KeyboardInterrupt:
        return "MLflow: the rest follows in the background; later: automl sync"


def _preload(recipe: Recipe) -> list[str]:
    """What the workers' server imports once: the modules of the program's own symbols."""
    from automl_spaces.symbols import Symbol
    from automl_spaces.traversal import walk

    modules = {v.type.module for _, v, _ in walk(recipe.template) if isinstance(v, Symbol)}
    shipped = sorted(m for m in modules if m.startswith("automl_cli."))
    return [m for m in shipped if m != "automl_cli.programs.command"]
