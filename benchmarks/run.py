"""Measure automl side by side with its peers: `python benchmarks/run.py`.

The first run makes an environment in `.benchmarks/venv` with this checkout and the pinned peers
of `requirements.txt`; nothing is installed anywhere else. Prints a table and writes
`results.json` and `results.md` here. Every figure is a median; what decides is the ratio, for
both sides run in turns on the same machine in the same minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import HERE, LOG, OURS, PEERS, WORK, Row

BENCHMARKS = (
    "symbolic",
    "loop",
    "algorithms",
    "mlflow_loop",
    "parallel",
    "weight_sharing",
    "startup",
)
BEGIN, END = "<!-- speed: written by benchmarks/run.py -->", "<!-- /speed -->"
PACKAGES = ("automl-cli", "pyglove", "optuna", "mlflow")
VERSIONS = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def main() -> int:
    """Run; returns 0 when every target is met, 1 otherwise."""
    options = _parser().parse_args()
    WORK.mkdir(exist_ok=True)
    LOG.write_text("")
    own = None if options.python else environment()
    os.environ[OURS] = str(options.python or own)
    os.environ[PEERS] = str(options.peers or options.python or own)
    machine = describe()
    rows: dict[str, list[Row]] = {}
    failed = False
    for name in options.only or BENCHMARKS:
        start = time.perf_counter()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            rows[name] = importlib.import_module(name).measure(options.quick)
        except (AssertionError, RuntimeError) as error:
            failed = True
            print(error, file=sys.stderr)
            continue
        print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    machine["load after"] = os.getloadavg()[0]
    text = table([row for found in rows.values() for row in found])
    print(text)
    if not options.only and not failed:
        write(rows, text, machine, options.quick)
    missed = any(row.met is False for found in rows.values() for row in found)
    return 1 if failed or missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: under two minutes")
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; may be repeated; writes no results",
    )  # fmt: skip
    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="an interpreter with the project installed, instead of a new one",
    )
    parser.add_argument("--peers", type=Path, metavar="PATH",
                        help="an interpreter with the peers; the same by default")  # fmt: skip
    return parser


def environment() -> Path:
    """The interpreter of `.benchmarks/venv`, which is made or brought up to date."""
    folder = WORK / "venv"
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        venv.create(folder, with_pip=True)
    install = [interpreter, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "-e", HERE.parent, "-r", HERE / "requirements.txt"], check=True)
    return interpreter


def describe() -> dict[str, Any]:
    """The machine, what is installed, and how busy it is."""
    versions: dict[str, str] = {}
    for variable in (PEERS, OURS):
        line = [os.environ[variable], "-c", VERSIONS, *PACKAGES]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        versions = json.loads(done.stdout) | versions
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": versions,
        "load before": os.getloadavg()[0],
    }


def table(rows: list[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| what | ours | peer | ratio | target | met? |", "|---|---|---|---|---|---|"]
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        target = "" if row.target is None else f"{sign} {row.target:g}x"
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        cells = [
            row.what, f"{number(row.ours)} {row.unit}", f"{number(row.peer)} {row.unit}",
            f"{number(row.ratio)}x", target, met,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2f}" if 1 <= value < 10 else f"{float(f'{value:.3g}'):g}"


def write(rows: dict[str, list[Row]], text: str, machine: dict[str, Any], quick: bool) -> None:
    """Keep the results: as data, and as the table that the README shows."""
    data = {
        "machine": machine,
        "quick": quick,
        "rows": [
            {"benchmark": n, **r._asdict(), "met": r.met} for n, rs in rows.items() for r in rs
        ],
    }
    (HERE / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
    foot = (
        f"{machine['date']}, {machine['cores']} cores, Python {machine['python']}; {versions}; "
        f"load average {machine['load before']:.1f} before and {machine['load after']:.1f} after."
    )
    (HERE / "results.md").write_text(f"{text}\n\n{foot}\n", encoding="utf-8")
    embed(HERE.parent / "README.md", f"{text}\n\n{foot}")


def embed(page: Path, text: str) -> None:
    """Put the table between the two marks of a page."""
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if begin and end:
        page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
