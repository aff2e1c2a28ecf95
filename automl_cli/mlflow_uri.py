"""Which MLflow is meant: tracking URIs, without importing MLflow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_SQLITE: Final = "sqlite:///"


def resolve_uri(uri: str | None = None) -> str:
    """The tracking URI: as given, or `MLFLOW_TRACKING_URI`, or `mlflow.db` in the working folder.

    A relative SQLite path is made absolute, so that it means the same in every process. Left
    alone, MLflow itself would choose by what happens to lie in the working folder.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"
    path = database(uri)
    if path is None:
        return uri
    _, question, options = uri.partition("?")
    return f"{_SQLITE}{path.absolute()}{question}{options}"


def database(uri: str) -> Path | None:
    """The file of a SQLite URI; None for servers and other stores."""
    if not uri.startswith(_SQLITE):
        return None
    path = uri.removeprefix(_SQLITE).partition("?")[0]
    return None if path in ("", ":memory:") else Path(path)


def shown(uri: str) -> str:
    """The URI without the user and password that it may carry."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
