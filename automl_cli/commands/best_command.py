"""`automl best`: the best program of a study, as a table, as a recipe, or trained again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from automl_cli.commands.options import complete_studies, json_option


@click.command()
@click.argument("study", required=False, shell_complete=complete_studies)
@click.option("--trial", "trial_id", type=int, help="This trial instead of the best.")
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="Trials in the table."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a static recipe.")
@click.option("--train", is_flag=True, help="Train the program again, as a study of its own.")
@json_option
def best_command(
    study: str | None,
    trial_id: int | None,
    top: int,
    output: Path | None,
    train: bool,
    as_json: bool,
) -> int:
    """Show the best program of STUDY: a study's or recipe's name, the latest study otherwise.

    It is the one that the algorithm recommends, or else that of the best value.
    """
    from automl_cli.ledger import Ledger
    from automl_cli.output import best_rows, schedule, table_title, trial_table, write
    from automl_cli.progress import Finished
    from automl_cli.studies import find_study, ledger_path
    from automl_cli.study_results import objectives_of, static_recipe
    from automl_spaces.errors import UserError

    with Ledger(ledger_path(), read_only=True) as ledger:
        row = find_study(ledger, study)
        objectives = objectives_of(row)
        ranked = best_rows(ledger, row, objectives)
        if not ranked:
            raise UserError(f"no trial of {row.name} has completed")
        chosen = next((t for t in ranked if t.id == trial_id), ranked[0])
        if trial_id not in (None, chosen.id):
            raise UserError(f"trial {trial_id} of {row.name} has not completed")
        lineage = [Finished.of(t) for t in ledger.lineage(row.id, chosen.id)]
        recipe_text, program = static_recipe(row, chosen, lineage[0].id)
    if as_json and not train:
        data = _data(row.name, chosen, program)
        if len(lineage) > 1:
            data["lineage"] = [
                {"trial": t.id, "budget": t.budget, "decisions": json.loads(t.decisions)}
                for t in lineage
            ]
        click.echo(json.dumps(data))
    elif output is None and not train:
        from rich.console import Console

        title = table_title(row.name, ranked, objectives)
        Console().print(trial_table(ranked[:top], objectives, title))
        if len(lineage) > 1:
            click.echo(click.style(f"\nhow trial {chosen.id} was trained", bold=True))
            click.echo("\n".join(schedule(lineage, objectives)))
        what = ", which the search recommends," * (chosen.id == row.recommended)
        click.echo(click.style(f"\ntrial {chosen.id}{what} as a recipe", bold=True))
        click.echo(recipe_text, nl=False)
    if output is not None:
        write(output, recipe_text)
    if train:
        return _train(recipe_text, f"{row.name}-trial-{chosen.id}", output, as_json)
    return 0


def _data(name: str, trial: Any, program: Any) -> dict[str, Any]:
    from automl_spaces.json_form import to_data

    return {
        "study": name,
        "trial": trial.id,
        "metrics": trial.metrics,
        "decisions": json.loads(trial.decisions),
        "program": to_data(program),
    }


def _train(text: str, name: str, output: Path | None, as_json: bool) -> int:
    """Run a static recipe; without a file of its own it is kept beside the ledger."""
    from automl_cli.commands.run_command import run_command
    from automl_cli.studies import study_folder

    if output is None:
        folder = study_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / "recipe.yaml"
        output.write_text(text, encoding="utf-8")
    arguments = [str(output), "--study", name, "--new", *["--json"] * as_json]
    code = run_command.main(arguments, prog_name="automl run", standalone_mode=False)
    return code if isinstance(code, int) else 0
