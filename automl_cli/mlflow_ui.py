"""`automl ui`: MLflow's own server on what the recipes used, in a light configuration.

By default `mlflow server` starts some fifteen processes with 3 GB of memory; with one worker and
without its job queue it is two processes with half a GB, which is plenty for one person. It
listens on this machine only, unless told otherwise.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Final

from automl_cli.display import say
from automl_cli.mlflow_client import prepare_environment
from automl_cli.mlflow_uri import database, resolve_uri, shown
from automl_spaces.errors import UserError

PORT: Final = 5000
_TRIES: Final = 50


def serve(uri: str | None = None, host: str = "127.0.0.1", port: int = PORT) -> None:
    """Become the MLflow server; returns at once when the URI is that of a running server.

    Raises:
        UserError: nothing has been recorded there, or no port is free.
    """
    uri = resolve_uri(uri)
    if uri.startswith(("http://", "https://")):
        say(f"MLflow is served at {shown(uri)}")
        return
    path = database(uri)
    if path is not None and not path.exists():
        raise UserError(f"there is no {path} yet", hint="automl run RECIPE, or automl sync")
    free = free_port(host, port)
    if free != port:
        say(f"port {port} is taken, so {free} is used")
    say(f"MLflow: http://{host}:{free}  (stop: Ctrl-C)")
    line, environment = command(uri, host, free)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(line[0], line, environment)  # noqa: S606


def command(uri: str, host: str, port: int) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of the server."""
    prepare_environment()
    environment = {
        **os.environ,
        # Not among the arguments: it may hold a password.
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    line = [
        *(sys.executable, "-P", "-m", "mlflow", "server"),
        *("--host", host, "--port", str(port), "--workers", "1"),
    ]
    path = database(uri)
    if path is not None:
        line += ["--artifacts-destination", str(path.parent / "mlartifacts")]
    return line, environment


def free_port(host: str, port: int) -> int:
    """The first port from `port` on that nobody listens on.

    Raises:
        UserError: none of the next 50 is free, or the host is not one of this machine's.
    """
    for candidate in range(port, min(port + _TRIES, 65536)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: a port that was closed a moment ago counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except PermissionError:
                raise UserError(f"port {candidate} needs privileges", hint="--port 5000") from None
            except socket.gaierror:
                raise UserError(f"there is no host {host}") from None
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise UserError(f"{host} is not an address of this machine") from None
                continue
        return candidate
    raise UserError(f"no port from {port} on is free on {host}", hint="--port NUMBER")
