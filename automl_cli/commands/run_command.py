"""`automl run`: from a recipe to a finished study."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from automl_cli.commands.options import changes, json_option, recipe_argument


@click.command()
@recipe_argument
@changes
@click.option("-n", "--trials", type=int, help="Trials in all: more of them extend a study.")
@click.option("--seconds", type=float, help="Start no trial after so many seconds.")
@click.option("-w", "--workers", type=int, help="Trials at the same time.")
@click.option("--seed", type=int, help="Seed of the search and of every trial.")
@click.option(
    "--seeds",
    metavar="N",
    help="A study from each of N seeds (or 0:100, or 1,5,7); inline ones side by side.",
)
@click.option("--study", "study_name", metavar="NAME", help="Name of the study.")
@click.option("--new", is_flag=True, help="Start a new study even if there is one of that name.")
@click.option("--accept-changes", is_flag=True, help="Resume though program or space changed.")
@click.option("--executor", metavar="NAME", help="inline, pool or ray")
@click.option("--tracking-uri", metavar="URI", help="MLflow server or database.")
@click.option("--no-mlflow", is_flag=True, help="Write the ledger only; `automl sync` does later.")
@json_option
def run_command(
    recipe: str,
    algorithm: str | None,
    space: tuple[str, ...],
    settings: tuple[str, ...],
    trials: int | None,
    seconds: float | None,
    workers: int | None,
    seed: int | None,
    seeds: str | None,
    study_name: str | None,
    new: bool,
    accept_changes: bool,
    executor: str | None,
    tracking_uri: str | None,
    no_mlflow: bool,
    as_json: bool,
) -> int:
    """Run RECIPE: a file, or the name of a shipped recipe such as mobilenet/s1.

    A study that was interrupted, in whatever way, goes on when the same command is given again.
    """
    from automl_cli.recipe import load_recipe
    from automl_cli.session import Session

    given = {
        "budget.trials": trials,
        "budget.seconds": seconds,
        "run.workers": workers,
        "seed": seed,
        "run.executor": executor,
        "tracking.uri": tracking_uri,
        "tracking.enabled": "false" if no_mlflow else None,
    }
    more = [f"{key}={value}" for key, value in given.items() if value is not None]
    if seeds is not None:
        return _campaign(recipe, seeds, algorithm, space, [*settings, *more], study_name, as_json)
    loaded = load_recipe(recipe, algorithm=algorithm, space=space, settings=[*settings, *more])
    session = Session(
        loaded, study_name=study_name, new=new, accept_changes=accept_changes, as_json=as_json
    )
    with _interruptible():
        return session.run(resume_line(recipe))


def _campaign(
    recipe: str,
    seeds: str,
    algorithm: str | None,
    space: tuple[str, ...],
    settings: list[str],
    study_name: str | None,
    as_json: bool,
) -> int:
    from automl_cli.campaign import Order, run_campaign, seeds_of

    if study_name is not None:
        raise click.UsageError("--study names one study; with --seeds each has its own name")
    order = Order(recipe, algorithm, space, settings)
    chosen = seeds_of(seeds, order.load().seed)
    with _interruptible():
        return run_campaign(order, chosen, resume_line(recipe), as_json=as_json)


def resume_line(recipe: str) -> str:
    """What to type to go on: the command as it was given, without `--new`."""
    import shlex

    arguments = [a for a in sys.argv[1:] if a != "--new"]
    if not arguments or arguments[0] != "run":
        arguments = ["run", recipe]
    return "automl " + shlex.join(arguments)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: cleanly, with the line to resume."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
