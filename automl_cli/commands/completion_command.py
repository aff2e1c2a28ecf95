"""`automl completion`: the shell's completion script."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    eval "$(automl completion bash)"                       in ~/.bashrc
    automl completion fish > ~/.config/fish/completions/automl.fish
    """
    from click.shell_completion import get_completion_class

    from automl_cli.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "automl", "_AUTOML_COMPLETE").source())
