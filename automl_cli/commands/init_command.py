"""`automl init`: a recipe and a program to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

PROGRAM: Final = '''"""A static program: no search code in it. Put your own training here."""


def train(lr: float = 0.1, layers: int = 2, activation: str = "relu") -> float:
    """Returns what is to be maximised."""
    score = 1.0 - abs(lr - 0.03) - 0.1 * abs(layers - 4)
    return score + (0.1 if activation == "gelu" else 0.0)
'''
RECIPE: Final = """\
# automl run recipe.yaml
imports: [train]                    # the only modules that this recipe may name
program: !train.train {lr: 0.1, layers: 2, activation: relu}
space:
- at: lr                            # which part of the program ...
  replace: !floatv [1e-4, 1.0, log] # ... and what else could stand there
- at: layers
  replace: !intv [1, 8]
- at: activation
  replace: !oneof [relu, gelu, tanh]
objective: {maximize: score}
algorithm: random                   # automl list algorithms
budget: {trials: 40}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init_command(folder: Path, force: bool) -> None:
    """Write recipe.yaml and train.py to FOLDER: the smallest search of a function of yours."""
    from automl_cli.display import say
    from automl_cli.output import write
    from automl_spaces.errors import UserError

    files = {folder / "recipe.yaml": RECIPE, folder / "train.py": PROGRAM}
    there = [str(p) for p in files if p.exists()]
    if there and not force:
        raise UserError(f"{', '.join(there)} exists already", hint="--force overwrites")
    for path, text in files.items():
        write(path, text)
    say(f"next: automl run {folder / 'recipe.yaml'}")
