"""Commands of ours, as a user gives them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def automl(*arguments: str, folder: Path) -> str:
    """Standard output of a command of ours, run in a folder."""
    line = [sys.executable, "-m", "automl_cli", *arguments]
    return subprocess.run(line, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
