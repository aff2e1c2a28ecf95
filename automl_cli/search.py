"""One search of a recipe in memory: everything that is checked before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from automl_algorithms.proposer import Proposer
from automl_cli import studies
from automl_cli.checks import checked_algorithm, marked, shares_weights
from automl_cli.cost_book import CostBook
from automl_cli.limits import Limits
from automl_cli.progress import Progress
from automl_cli.recipe import Recipe, static_program
from automl_cli.recipe_files import shown
from automl_cli.runner import Listener, Runner
from automl_spaces.errors import AutomlError, Mark, UserError
from automl_spaces.space import Space

if TYPE_CHECKING:
    from automl_cli.executors import Executor
    from automl_cli.ledger import Ledger
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.shared_search import SharedSearch


class Search(NamedTuple):
    """A recipe, compiled, with a fresh instance of its algorithm.

    Args:
        space: what is searched; it holds no state and may be shared by many searches.
        book: the costs and constraints of programs.
        shared: the training of a supernet that comes before the trials, if the algorithm is one
            of weight sharing; `proposer` then proposes what comes out of it.
    """

    recipe: Recipe
    space: Space
    book: CostBook
    proposer: Proposer
    progress: Progress
    shared: SharedSearch | None = None

    @classmethod
    def of(cls, recipe: Recipe, space: Space | None = None) -> Search:
        """Compile and check a recipe.

        Args:
            space: the recipe's, if it has been compiled already.

        Raises:
            UserError: the algorithm cannot search the space, a cost fails, nothing limits it.
        """
        space = Space.compile(recipe.template) if space is None else space
        with marked(recipe.marks.get("costs") or recipe.marks.get("constraints"), "costs"):
            book = CostBook(recipe.costs, recipe.filters)
            program = static_program(recipe, space) if recipe.costs else None
            if program is not None:
                book.refusal(None, program)  # which computes every cost
        scratch = recipe.budget["charge"] == "scratch"
        shared: SharedSearch | None
        trials: int | None
        if shares_weights(recipe):
            shared, proposer = _shared(recipe, space, book)
            trials = recipe.baseline + recipe.sharing["derived"] + recipe.sharing["compare"]
        else:
            shared, proposer = None, _proposer(recipe, space, book)
            trials = _trials(recipe, space, proposer)
        goals, bounds = recipe.objectives, recipe.constraints
        progress = Progress(goals, trials, scratch=scratch, constraints=bounds)
        return cls(recipe, space, book, proposer, progress, shared)

    def runner(
        self,
        ledger: Ledger,
        study: StudyRow,
        executor: Executor,
        listener: Listener | None = None,
    ) -> Runner:
        """What runs it as a study of a ledger."""
        recipe = self.recipe
        limits = Limits(
            self.progress.trials,
            recipe.budget["seconds"],
            recipe.run["retries"],
            recipe.run["max_failed"],
            recipe.budget["epochs"],
            recipe.budget["simulated_seconds"],
        )
        return Runner(
            ledger,
            study,
            self.space,
            self.proposer,
            executor,
            self.progress,
            limits=limits,
            folder=studies.study_folder(study.name),
            costs=self.shared.known if self.shared else lambda _, program: self.book.of(program),
            listener=listener,
        )


def _trials(recipe: Recipe, space: Space, proposer: Proposer) -> int | None:
    """The number of trials: as asked for, at most the size of the space, 1 without a space."""
    trials = recipe.budget["trials"]
    if not space.points:
        return 1
    if recipe.phases.once:
        trials = min(trials or recipe.phases.trials, recipe.phases.trials)
    limits = ("trials", "seconds", "epochs", "simulated_seconds")
    if trials is None and all(recipe.budget[limit] is None for limit in limits):
        raise UserError(
            "how long shall it search? budget: {trials: 25}",
            recipe.marks.get("budget") or Mark(shown(recipe.path)),
            path="budget",
            hint="or --trials 25, or --seconds 600",
        )
    finite = recipe.unique and not proposer.algorithm.capabilities.multi_fidelity
    if finite and trials is not None and space.size < trials:
        return int(space.size)
    return trials  # type: ignore[no-any-return]


def _shared(recipe: Recipe, space: Space, book: CostBook) -> tuple[SharedSearch, Proposer]:
    from automl_cli.shared_search import SharedSearch

    mark = recipe.marks.get("algorithm")
    if not space.points:
        raise UserError(
            f"{recipe.algorithm} needs a space, and the program has no choice in it",
            recipe.marks.get("space") or mark,
            path="space",
            hint="space: [overlays/...], or algorithm: random for one training",
        )
    with marked(mark, "algorithm"):
        algorithm: Any = checked_algorithm(recipe, space)
        shared = SharedSearch(recipe, space, book, algorithm)
        proposer = Proposer(
            shared.trials,
            space,
            recipe.objectives,
            recipe.seed,
            accept=book.refusal if recipe.costs else None,
            unique=False,
            baseline=recipe.baseline,
        )
    return shared, proposer


def _proposer(recipe: Recipe, space: Space, book: CostBook) -> Proposer:
    mark = recipe.marks.get("algorithm")
    try:
        with marked(mark, "algorithm"):
            algorithm: Any = checked_algorithm(recipe, space)
            return Proposer(
                algorithm,
                space,
                recipe.objectives,
                recipe.seed,
                accept=book.refusal if recipe.costs else None,
                unique=recipe.unique,
                baseline=recipe.baseline,
            )
    except AutomlError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise AutomlError(f"the algorithm {recipe.algorithm} failed to start: {what}") from error
