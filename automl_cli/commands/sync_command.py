"""`automl sync`: bring MLflow up to date with the ledger, as often as one likes."""

from __future__ import annotations

import click

from automl_cli.commands.options import complete_studies


@click.command()
@click.argument("studies", nargs=-1, shell_complete=complete_studies)
@click.option("--tracking-uri", metavar="URI", help="MLflow server or database.")
@click.option(
    "--children",
    type=click.Choice(["auto", "all", "best", "none"]),
    default="auto",
    show_default=True,
    help="Which trials get a run of their own.",
)
def sync_command(studies: tuple[str, ...], tracking_uri: str | None, children: str) -> int:
    """Project STUDIES, all of them by default, from the ledger into MLflow.

    Nothing is written twice: what MLflow has already is left as it is.
    """
    from automl_cli.ledger import Ledger
    from automl_cli.mlflow_projection import project
    from automl_cli.studies import find_study, ledger_path
    from automl_cli.study_results import experiment_of, recipe_maker

    path = ledger_path()
    with Ledger(path, read_only=True) as ledger:
        found = [find_study(ledger, name) for name in studies] or ledger.studies()
    complete = True
    for study in found:
        report = project(
            path,
            study.name,
            tracking_uri,
            experiment_of(study),
            children=children,  # type: ignore[arg-type]  # click has checked it
            best_recipe=recipe_maker(path, study.name),
        )
        complete = complete and report.ok
        text = f"{report.projected} trials" + f", {report.pending} missing" * bool(report.pending)
        click.echo(f"{study.name}: {text}" + f"; {report.message}" * bool(report.message))
        if report.unreachable:
            break  # each further study would only wait for it again
    if not found:
        click.echo("no study yet", err=True)
    return 0 if complete else 1
