"""One `automl run`: everything that a study needs is opened, used and closed here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl_algorithms import catalogue
from automl_algorithms.contract import check_capabilities
from automl_algorithms.proposer import Proposer
from automl_cli import costs as cost_catalogue
from automl_cli import executors, studies
from automl_cli.display import Display
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow
from automl_cli.output import announce, closing, summary
from automl_cli.progress import Progress
from automl_cli.recipe import Recipe, import_folders
from automl_cli.runner import Limits, Runner
from automl_cli.worker import Setting
from automl_spaces.errors import UserError
from automl_spaces.space import Space

INTERRUPTED = 130


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
        recipe = self.recipe
        space = Space.compile(recipe.template)
        algorithm = catalogue.create(recipe.algorithm, recipe.options)
        mark = recipe.marks.get("algorithm")
        check_capabilities(recipe.algorithm, algorithm.capabilities, space, recipe.objectives, mark)
        cost_functions = {name: cost_catalogue.load(name) for name in recipe.costs}
        proposer = Proposer(
            algorithm,
            space,
            recipe.objectives,
            recipe.seed,
            accept=self._accept(cost_functions),
            unique=recipe.unique,
            baseline=recipe.baseline,
        )
        executor = self._executor()
        ledger = Ledger(studies.ledger_path())
        try:
            name = self._name or studies.default_name(recipe)
            if self._new:
                name = studies.free_name(ledger, name)
            study = studies.open_study(
                ledger, recipe, space, name, accept_changes=self._accept_changes
            )
            with ledger.lock(study.id):
                return self._search(
                    ledger, study, space, proposer, executor, cost_functions, resume_line
                )
        finally:
            executor.close(kill=True)
            ledger.close()

    def _search(
        self,
        ledger: Ledger,
        study: StudyRow,
        space: Space,
        proposer: Proposer,
        executor: executors.Executor,
        cost_functions: dict[str, Callable[[Any], float]],
        resume_line: str,
    ) -> int:
        recipe = self.recipe
        progress = Progress(recipe.objectives, self._trials(space))
        display = Display(progress, study.name, quiet=self.as_json)
        announce(recipe, space, study, quiet=self.as_json)
        runner = Runner(
            ledger,
            study,
            space,
            proposer,
            executor,
            progress,
            limits=Limits(
                progress.trials,
                recipe.budget["seconds"],
                recipe.run["retries"],
                recipe.run["max_failed"],
            ),
            folder=studies.study_folder(study.name),
            costs=cost_functions,
            listener=display.finished,
        )
        ledger.set_study_state(study.id, "running")
        projection = self._projection(ledger, study)
        state, code = "interrupted", INTERRUPTED
        try:
            with display:
                runner.run()
            failed = runner.stopped_by == "failures" or not progress.counts["completed"]
            state, code = ("failed", 1) if failed else ("completed", 0)
        except KeyboardInterrupt:
            executor.close(kill=True)
        except Exception:
            state = "failed"
            raise
        finally:
            ledger.set_study_state(study.id, state)
            note = projection.finish(display) if projection is not None else None
        if self.as_json:
            summary(ledger, study, progress, state)
        else:
            closing(ledger, study, recipe, progress, runner.stopped_by, state, note, resume_line)
        return code

    def _trials(self, space: Space) -> int | None:
        """The number of trials: as asked for, at most the size of the space, 1 without a space."""
        trials = self.recipe.budget["trials"]
        if not space.points:
            return 1
        if trials is None and self.recipe.budget["seconds"] is None:
            raise UserError(
                "how long shall it search? budget: {trials: 25}",
                self.recipe.marks.get("budget"),
                path="budget",
                hint="or --trials 25, or --seconds 600",
            )
        if self.recipe.unique and trials is not None and space.size < trials:
            return int(space.size)
        return trials  # type: ignore[no-any-return]

    def _executor(self) -> executors.Executor:
        recipe = self.recipe
        known = {o.metric for o in recipe.objectives} - set(recipe.costs)
        metrics = tuple(o.metric for o in recipe.objectives if o.metric in known)
        setting = Setting(metrics, recipe.imports, import_folders(recipe.path))
        run = recipe.run
        options: dict[str, Any] = {"timeout": run["timeout"]}
        if run["executor"] != "inline":
            options |= {
                "slots": run["workers"],
                "memory": run["memory"],
                "threads": run["threads"],
                "preload": _preload(recipe),
            }
        return executors.create(run["executor"], setting, **options)

    def _accept(
        self, functions: dict[str, Callable[[Any], float]]
    ) -> Callable[[Any, Any], str | None] | None:
        bounds = self.recipe.constraints
        if not bounds:
            return None

        def accept(_: Any, program: Any) -> str | None:
            for name, (low, high) in bounds.items():
                value = functions[name](program)
                if not low <= value <= high:
                    return f"{name} {value:.4g} is not in [{low:.4g}, {high:.4g}]"
            return None

        return accept

    def _projection(self, ledger: Ledger, study: StudyRow) -> Any:
        if not self.recipe.tracking["enabled"]:
            return None
        from automl_cli.tracking import Tracking

        return Tracking(ledger, study, self.recipe)


def _preload(recipe: Recipe) -> list[str]:
    """What the workers' server imports once: the modules of the program's own symbols."""
    from automl_spaces.symbols import Symbol
    from automl_spaces.traversal import walk

    modules = {v.type.module for _, v, _ in walk(recipe.template) if isinstance(v, Symbol)}
    shipped = sorted(m for m in modules if m.startswith("automl_cli."))
    return [m for m in shipped if m != "automl_cli.programs.command"]
