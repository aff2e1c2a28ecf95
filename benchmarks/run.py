"""Measure automl side by side with its peers: `python benchmarks/run.py`.

The first run makes an environment in `.benchmarks/venv` with this checkout and the pinned peers
of `requirements.txt`; nothing is installed anywhere else. Prints a table and writes
`results.json` and `results.md` here. Every figure is a median; what decides is the ratio, for
both sides run in turns on the same machine in the same minutes.

`--only NAME --keep` measures a part of the table anew and leaves the rest as it is. What takes
long (`autohas_cost`) is measured by its name alone. `accelerators`, `nahas_testbed` and
`weight_decay` answer questions that are no matter of speed: by name, each prints tables of its own.
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
SLOW = ("autohas_cost",)  # have rows in the table, too, but are run by name alone
SCRIPTS = ("accelerators", "nahas_testbed", "weight_decay")  # print what they find
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
            if name in SCRIPTS:
                subprocess.run([os.environ[OURS], HERE / f"{name}.py"], check=True)
            else:
                rows[name] = importlib.import_module(name).measure(options.quick)
        except (AssertionError, RuntimeError, subprocess.CalledProcessError) as error:
            failed = True
            print(error, file=sys.stderr)
            continue
        print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    machine["load after"] = os.getloadavg()[0]
    if rows:
        print(table([row for found in rows.values() for row in found]))
    if not failed and (options.keep or not options.only):
        write(rows, machine, quick=options.quick, keep=options.keep)
    missed = any(row.met is False for found in rows.values() for row in found)
    return 1 if failed or missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: under two minutes")
    parser.add_argument(
        "--only", action="append", choices=(*BENCHMARKS, *SLOW, *SCRIPTS), metavar="NAME",
        help=f"one of {', '.join((*BENCHMARKS, *SLOW, *SCRIPTS))}; may be repeated; writes nothing",
    )  # fmt: skip
    parser.add_argument(
        "--keep", action="store_true", help="write, and keep the results of all other benchmarks"
    )
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


def write(
    rows: dict[str, list[Row]],
    machine: dict[str, Any],
    *,
    quick: bool,
    keep: bool,
    folder: Path = HERE,
) -> None:
    """Keep the results: as data, and as the table that the README shows.

    Args:
        rows: by benchmark.
        keep: benchmarks that are not among these stay as they were recorded, with their date.
        folder: of the results, below that of the README.
    """
    path = folder / "results.json"
    runs = {name: {"quick": quick, **machine, "rows": rows[name]} for name in rows}
    if keep and path.exists():
        runs = recorded(json.loads(path.read_text(encoding="utf-8"))) | runs
    names = [name for name in (*BENCHMARKS, *SLOW) if name in runs]
    data = {
        name: {**runs[name], "rows": [{**r._asdict(), "met": r.met} for r in runs[name]["rows"]]}
        for name in names
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    feet: dict[str, list[str]] = {}
    for name in names:
        feet.setdefault(foot(runs[name]), []).append(name)
    text = table([row for name in names for row in runs[name]["rows"]])
    notes = [f"{', '.join(of)}: {how}" if len(feet) > 1 else how for how, of in feet.items()]
    text = "\n\n".join([text, *notes])
    (folder / "results.md").write_text(f"{text}\n", encoding="utf-8")
    embed(folder.parent / "README.md", text)


def recorded(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Runs by benchmark, as `write` left them in `results.json`."""
    return {
        name: {**run, "rows": [Row(**{k: r[k] for k in Row._fields}) for r in run["rows"]]}
        for name, run in data.items()
    }


def foot(run: dict[str, Any]) -> str:
    """Where and when a benchmark was run."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return (
        f"{run['date']}, {run['cores']} cores, Python {run['python']}; {versions}; load average "
        f"{run['load before']:.1f} before and {run['load after']:.1f} after."
    )


def embed(page: Path, text: str) -> None:
    """Put the table between the two marks of a page."""
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if begin and end:
        page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
