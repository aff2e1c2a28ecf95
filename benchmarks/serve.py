"""The inside of a `harness.Side`: reads cases from the standard input, answers with numbers.

What the measured code prints goes to the standard error stream.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main(name: str) -> None:
    """Answer [case, options] with the number that the module's function `case` returns."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module = importlib.import_module(f"sides.{name}")
    for line in sys.stdin:
        case, options = json.loads(line)
        print(json.dumps(getattr(module, case)(**options)), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
