"""A child program in any language: an argument list that prints its reward as JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_spaces.trial import Trial

_NAME = re.compile(r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[^}]*)\}|(?P<bad>))")
_TAIL = 2000  # bytes of standard error that an error message quotes


@register
class Command:
    """Runs a script for each trial; its parameters come as arguments and environment variables.

    `$lr` in an argument stands for the parameter `lr`, `$$` for a dollar. No shell is involved.
    The script also finds each parameter in `AUTOML_<NAME>`, and the trial in `AUTOML_TRIAL_ID`,
    `AUTOML_TRIAL_SEED`, `AUTOML_TRIAL_CHECKPOINT` (a folder) and, when one is granted,
    `AUTOML_TRIAL_BUDGET`.

    The result is the last line of standard output that is JSON: an object of numbers (metrics by
    name), or one number. Each line that is an object with a `step` is reported as it comes.

    Args:
        run: program and arguments.
        params: by name; texts, numbers, booleans, or anything that JSON has.
        result_file: read the result from this file, relative to `cwd`, and not from the output.
        timeout: seconds until the script is killed; None never does it.
        cwd: folder in which the script runs.
        env: further environment variables.

    Raises:
        UserError: when an argument names a parameter that does not exist.
    """

    def __init__(
        self,
        run: list[str],
        params: dict[str, Any] | None = None,
        result_file: str | None = None,
        timeout: float | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        if not run:
            raise UserError("Command.run is empty: it needs the program and its arguments")
        texts = {name: _text(value) for name, value in (params or {}).items()}
        self.run = [_substitute(argument, texts) for argument in run]
        self.result_file, self.timeout, self.cwd = result_file, timeout, cwd
        self.env = {f"AUTOML_{name.upper()}": text for name, text in texts.items()} | (env or {})

    def __call__(self, trial: Trial) -> float | dict[str, float]:
        """Run the script and return its result.

        Raises:
            RuntimeError: when it cannot be started, exits with another code than 0, or prints
                no result. The message ends with the end of its standard error.
            TimeoutError: when it runs out of time.
            Pruned: when the trial is not to go on.
        """
        result_file = None if self.result_file is None else Path(self.cwd or ".", self.result_file)
        if result_file is not None:
            result_file.unlink(missing_ok=True)  # a result of an earlier trial is none of ours
        result = None
        with tempfile.TemporaryFile() as errors, self._process(trial, errors) as process:
            assert process.stdout is not None
            for line in process.stdout:
                found = _json(line)
                result = line if found is not None else result
                if isinstance(found, dict) and "step" in found:
                    metrics = _numbers(found, line)
                    trial.report(int(metrics.pop("step")), **metrics)
            if process.wait() != 0:
                raise RuntimeError(f"{self.run[0]} {_ending(process.returncode)}{_tail(errors)}")
            if result_file is not None:
                result = result_file.read_text("utf-8") if result_file.exists() else None
            found = None if result is None else _json(result)
            if result is None or found is None:
                place = result_file or "standard output"
                raise RuntimeError(f"{self.run[0]} left no result on {place}{_tail(errors)}")
        if not isinstance(found, dict):
            return float(found)
        metrics = _numbers(found, result)
        metrics.pop("step", None)
        return metrics

    @contextmanager
    def _process(self, trial: Trial, errors: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
        """The running script; it and whatever it started are gone when the block is left.

        A guard leads the script's process group. It waits for the end of a pipe that only this
        process holds, and then kills the group: so the script does not outlive this process
        either, however that ends.
        """
        env = os.environ | self._trial_variables(trial) | self.env
        guard = subprocess.Popen(
            ["/bin/sh", "-c", "read _; kill -9 0"], stdin=subprocess.PIPE, process_group=0
        )
        late = threading.Event()
        try:
            try:
                process = subprocess.Popen(  # noqa: S603 - running it is what it is for
                    self.run,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=self.cwd,
                    env=env,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    process_group=guard.pid,
                )
            except OSError as error:
                raise RuntimeError(f"{self.run[0]} cannot be started: {error}") from error

            def watch() -> None:
                try:
                    process.wait(self.timeout)
                except subprocess.TimeoutExpired:
                    late.set()
                _kill_group(guard.pid)  # children that are left would hold the output open

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            assert process.stdout is not None
            try:
                with process.stdout:
                    yield process
            except RuntimeError as error:
                if late.is_set():
                    raise TimeoutError(
                        f"{self.run[0]} was killed after {self.timeout:g} s"
                    ) from error
                raise
            finally:
                _kill_group(guard.pid)
                process.wait()
                watcher.join()
        finally:
            _kill_group(guard.pid)
            assert guard.stdin is not None
            guard.stdin.close()
            guard.wait()

    def _trial_variables(self, trial: Trial) -> dict[str, str]:
        found = {
            "AUTOML_TRIAL_ID": str(trial.id),
            "AUTOML_TRIAL_SEED": str(trial.seed),
            "AUTOML_TRIAL_CHECKPOINT": str(trial.checkpoint),
        }
        if trial.budget is not None:
            found["AUTOML_TRIAL_BUDGET"] = f"{trial.budget:g}"
        return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _substitute(argument: str, texts: dict[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["plain"] or match["braced"]
        if not name:
            raise UserError(f"Command.run: a lone $ in {argument!r}", hint="write $$ for a dollar")
        if name not in texts:
            raise UserError(
                f"Command.run: ${name} in {argument!r} names no parameter",
                hint=did_you_mean(name, texts) or "there are no params",
            )
        return texts[name]

    return _NAME.sub(replace, argument)


def _json(line: str) -> dict[str, Any] | float | None:
    """The object or number in a line; None for every other line."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return found if number or isinstance(found, dict) else None


def _numbers(found: dict[str, Any], line: str) -> dict[str, float]:
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuntimeError(
                f"the metric {name} is {json.dumps(value)}, not a number: {line.strip()[:200]}"
            )
    return {name: float(value) for name, value in found.items()}


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):  # all of it is gone
        os.killpg(group, signal.SIGKILL)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def _tail(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _TAIL))
    text = errors.read().decode("utf-8", "replace").strip()
    return f":\n{text}" if text else ""
