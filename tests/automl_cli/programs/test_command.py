"""Programs in any language: substitution, results, reports, and every way in which they fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl_cli.programs.command import Command
from automl_spaces.errors import UserError
from automl_spaces.trial import Pruned, Trial


def python(code: str, *arguments: str, **options: Any) -> Command:
    """A command that runs Python code."""
    return Command([sys.executable, "-c", code.replace("$", "$$"), *arguments], **options)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


SHOW = "import json, sys; print(json.dumps({'n': len(sys.argv), 'lr': float(sys.argv[1])}))"


def test_parameters_stand_in_the_arguments() -> None:
    """`$lr` and `${lr}` are replaced, also inside of an argument; the result is a dict."""
    assert python(SHOW, "$lr", params={"lr": 0.25})(Trial()) == {"n": 2.0, "lr": 0.25}
    command = Command(["x", "--a=$a", "${b}c", "$$a"], {"a": 1, "b": "two words"})
    assert command.run == ["x", "--a=1", "two wordsc", "$a"]


def test_no_shell_is_involved() -> None:
    """What a shell would run or split arrives as it is."""
    hostile = "; touch pwned $(id) `id` 'x"
    code = "import json, sys; print(json.dumps(len(sys.argv[1])))"
    assert python(code, "$text", params={"text": hostile})(Trial()) == len(hostile)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (1e-3, "0.001"), (None, "null"), ([1, 2], "[1, 2]")]
)
def test_values_are_written_as_json(value: Any, text: str) -> None:
    """Texts stay as they are, everything else is JSON."""
    assert Command(["x", "$v"], {"v": value}).run == ["x", text]


def test_the_environment_tells_parameters_and_trial(tmp_path: Path) -> None:
    """AUTOML_<NAME>, the trial's id, seed, budget and folder, and the user's own variables."""
    code = (
        "import os, json, pathlib; e = os.environ;"
        "assert pathlib.Path(e['AUTOML_TRIAL_CHECKPOINT']).is_dir();"
        "print(json.dumps({k: float(e[k]) for k in ('AUTOML_LR', 'AUTOML_TRIAL_ID',"
        "'AUTOML_TRIAL_SEED', 'AUTOML_TRIAL_BUDGET', 'MINE')}))"
    )
    command = python(code, params={"lr": 0.5}, env={"MINE": "7"})
    found = command(Trial(3, seed=11, budget=2, folder=tmp_path))
    assert isinstance(found, dict)
    assert list(found.values()) == [0.5, 3, 11, 2, 7]
    with pytest.raises(RuntimeError, match="KeyError: 'AUTOML_TRIAL_BUDGET'"):
        command(Trial(folder=tmp_path))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--lr=$learning_rat", "did you mean learning_rate"),
        ("$", "write \\$\\$ for a dollar"),
        ("${}", "write \\$\\$ for a dollar"),
        ("5$!", "write \\$\\$ for a dollar"),
    ],
)
def test_a_slip_in_an_argument_is_told_at_construction(argument: str, message: str) -> None:
    """Nothing is run with a parameter that does not exist."""
    with pytest.raises(UserError, match=message):
        Command(["x", argument], {"learning_rate": 0.1})
    with pytest.raises(UserError, match="empty"):
        Command([])


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ("0.5", 0.5),
        ("loading\n0.25\n0.5\ndone in 3 s", 0.5),
        ('{"accuracy": 0.9}\n{"accuracy": 0.95, "loss": 1}', {"accuracy": 0.95, "loss": 1.0}),
        ('{"step": 4, "accuracy": 0.9}', {"accuracy": 0.9}),
        ('[1]\n0.5\ntrue\nnull\n"text"', 0.5),
    ],
)
def test_the_last_json_line_is_the_result(output: str, result: Any) -> None:
    """An object of numbers or one number; everything else on the output is talk."""
    assert python(f"print({output!r})")(Trial()) == result


def test_reports_come_while_the_script_runs(tmp_path: Path) -> None:
    """The script waits for a file that is written when its first report is heard."""
    heard: list[tuple[int, dict[str, float]]] = []
    signal_file = tmp_path / "go"

    def sink(step: int, metrics: dict[str, float]) -> None:
        heard.append((step, metrics))
        signal_file.touch()

    code = (
        "import os, time, sys\n"
        'print(\'{"step": 1, "accuracy": 0.5}\', flush=True)\n'
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
        'print(\'{"step": 2, "accuracy": 0.6}\')\n'
        "print(0.7)"
    )
    assert python(code, str(signal_file), timeout=20)(Trial(sink=sink)) == 0.7
    assert heard == [(1, {"accuracy": 0.5}), (2, {"accuracy": 0.6})]


def test_a_result_file_is_read_and_never_a_stale_one(tmp_path: Path) -> None:
    """The file of an earlier trial is removed first; output on standard output does not count."""
    code = "import pathlib, sys; print(1); sys.argv[1:] and pathlib.Path('r.json').write_text('2')"
    options = {"result_file": "r.json", "cwd": str(tmp_path)}
    assert python(code, "write", **options)(Trial()) == 2.0
    with pytest.raises(RuntimeError, match=r"left no result on .*r\.json"):
        python(code, **options)(Trial())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.stderr.write('x' * 9999 + 'the end'); sys.exit(3)", "code 3:\nx+the end"),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("print('no number')", "left no result on standard output"),
        ('print(\'{"accuracy": "high"}\')', 'the metric accuracy is "high", not a number'),
        ("print('{\"accuracy\": true}')", "the metric accuracy is true, not a number"),
    ],
)
def test_failures_say_what_happened(code: str, message: str) -> None:
    """The exit code or signal, the end of standard error, or what is wrong with the result."""
    with pytest.raises(RuntimeError, match=message) as caught:
        python(code)(Trial())
    assert len(str(caught.value)) < 2200


def test_a_program_that_does_not_exist_is_told() -> None:
    """The operating system's own words, with the program's name."""
    with pytest.raises(RuntimeError, match="no-such-program cannot be started"):
        Command(["no-such-program"])(Trial())


# Starts a grandchild, tells both process ids in a file, then does what the rest says.
FAMILY = (
    "import json, os, subprocess, sys, time\n"
    "child = subprocess.Popen(['sleep', '100'])\n"
    "with open(sys.argv[1] + '.new', 'w') as f: json.dump([os.getpid(), child.pid], f)\n"
    "os.rename(sys.argv[1] + '.new', sys.argv[1])\n"
)


def family(path: Path) -> list[int]:
    """Process ids of script and grandchild."""
    assert eventually(path.exists, 20)
    return list(json.loads(path.read_text()))


def test_a_timeout_kills_the_family(tmp_path: Path) -> None:
    """Script and grandchild are gone soon after the time is over."""
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="was killed after 2 s"):
        python(FAMILY + "time.sleep(100)", str(tmp_path / "pids"), timeout=2)(Trial())
    assert time.monotonic() - began < 10
    assert not any(map(alive, family(tmp_path / "pids")))


def test_pruning_kills_the_family(tmp_path: Path) -> None:
    """A report that raises ends the script, and the exception passes."""

    def prune(step: int, metrics: dict[str, float]) -> None:
        raise Pruned

    code = FAMILY + 'print(\'{"step": 1, "a": 1}\', flush=True); time.sleep(100)'
    with pytest.raises(Pruned):
        python(code, str(tmp_path / "pids"))(Trial(sink=prune))
    assert eventually(lambda: not any(map(alive, family(tmp_path / "pids"))))


def test_grandchildren_do_not_hold_the_result_back(tmp_path: Path) -> None:
    """A script that leaves a process behind ends when it ends, and so does the process."""
    assert python(FAMILY + "print(1)", str(tmp_path / "pids"))(Trial()) == 1.0
    assert eventually(lambda: not any(map(alive, family(tmp_path / "pids"))))


def test_the_script_does_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    """SIGKILL of the process that runs the trial takes script and grandchild along."""
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom automl_cli.programs.command import Command\n"
            "from automl_spaces.trial import Trial\n"
            "Command([sys.executable, '-c', sys.argv[1], sys.argv[2]])(Trial())",
            FAMILY + "time.sleep(100)",
            str(tmp_path / "pids"),
        ]
    )
    pids = family(tmp_path / "pids")
    assert all(map(alive, pids))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert eventually(lambda: not any(map(alive, pids)))
