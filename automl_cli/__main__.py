"""The entry point: errors of the user's become messages, and exit codes are what they promise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 done; 1 the search ran and failed; 2 the user's mistake; 130 interrupted, state saved.
    """
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    try:
        match words:
            case ["show", recipe] if not recipe.startswith("-") and _writes_utf8():
                return _show(recipe)
        from automl_cli.cli import run

        return run(words)
    except KeyboardInterrupt:
        from automl_cli.errors import INTERRUPTED

        sys.stderr.write("\ninterrupted\n")  # below the ^C of the terminal
        return INTERRUPTED
    except Exception as error:
        from automl_cli.errors import show  # not before it is needed: --help has to be quick
        from automl_spaces.errors import AutomlError

        if not isinstance(error, AutomlError):
            raise
        show(error)
        return error.exit_code


def _writes_utf8() -> bool:
    """Whether standard output takes any text; click knows what to do when it does not."""
    return getattr(sys.stdout, "encoding", None) in ("utf-8", "UTF-8")


def _show(recipe: str) -> int:
    """Answer `automl show RECIPE` without click, whose import would take half of the time."""
    gc.disable()  # all of it is needed until the end: looking for garbage takes a tenth of the time
    try:
        from automl_cli.broken_pipe import quiet_when_unread
        from automl_cli.recipe_text import checked_recipe, lines

        bold = "\033[1m{}\033[0m".format if sys.stdout.isatty() else str
        with quiet_when_unread():
            sys.stdout.writelines(f"{line}\n" for line in lines(*checked_recipe(recipe), bold=bold))
            sys.stdout.flush()
    finally:
        gc.freeze()  # nor is there any for the interpreter to look for when it ends
        gc.enable()
    return 0


if __name__ == "__main__":
    sys.exit(main())
