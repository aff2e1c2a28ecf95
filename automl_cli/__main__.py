"""The entry point: errors of the user's become messages, and exit codes are what they promise."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 done; 1 the search ran and failed; 2 the user's mistake; 130 interrupted, state saved.
    """
    import click

    from automl_cli.cli import cli

    try:
        code = cli.main(args=arguments, prog_name="automl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        from automl_cli.errors import INTERRUPTED

        return INTERRUPTED
    except Exception as error:
        from automl_cli.errors import show  # not before it is needed: --help has to be quick
        from automl_spaces.errors import AutomlError

        if not isinstance(error, AutomlError):
            raise
        show(error)
        return error.exit_code
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
