"""Pickles: data is read, everything else is refused before it can do anything."""

from __future__ import annotations

import bz2
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cli.tables import plain_pickle
from automl_cli.tables.plain_pickle import plain, read_plain_bz2
from automl_spaces.errors import UserError


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [4, 5])
def test_data_comes_back(protocol: int) -> None:
    """Containers, numbers and texts; scalars of NumPy as plain numbers."""
    value = {"a": [1, 2.5, None, True], ("b", 1): OrderedDict([(0, "x")]), "c": {1, 2}}
    assert plain(pickle.dumps(value, protocol), "p") == value
    scalars = [np.float64(0.1), np.float32(0.5), np.int64(-7), np.bool_(True)]
    found = plain(pickle.dumps(scalars, protocol), "p")
    assert found == [0.1, 0.5, -7, True]
    assert [type(v) for v in found] == [float, float, int, bool]


def test_the_order_of_bytes() -> None:
    """Scalars that were written on another kind of machine."""
    big = np.array([1.25], ">f8")[0]
    assert plain(pickle.dumps(big), "p") == 1.25
    swapped = np.dtype(">f8")
    made = Calls(np.float64(1).__reduce__()[0], swapped, b"\x3f\xf4" + bytes(6))
    assert plain(pickle.dumps(made), "p") == 1.25


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, "touch pwned"),
        Calls(eval, "open('pwned', 'w')"),
        Calls(getattr, os, "system"),
        Calls(np.load, "pwned"),
        np.zeros(3),
        {"deep": [Calls(os.mkdir, "pwned")]},
    ],
    ids=["system", "eval", "getattr", "numpy function", "array", "deep"],
)
def test_hostile_pickles_do_nothing(
    hostile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they name is refused; nothing was run."""
    monkeypatch.chdir(tmp_path)
    try:
        data = pickle.dumps(hostile, 4)
    except TypeError:  # a module cannot be pickled; its name can be written by hand
        data = b"cos\nsystem\n(S'touch pwned'\ntR."
    with pytest.raises(UserError, match="which is no data"):
        plain(data, "p")
    assert [*tmp_path.iterdir()] == []


def test_what_is_known_cannot_be_changed() -> None:
    """A pickle that sets an attribute of a known function is refused."""
    data = b"cnumpy\ndtype\n(N}S'__doc__'\nS'x'\nstb."
    with pytest.raises(UserError, match="cannot be read"):
        plain(data, "p")


@pytest.mark.parametrize("data", [b"", b"\x80", b"no pickle", pickle.dumps([1, 2])[:-2], b"0."])
def test_broken_pickles(data: bytes) -> None:
    """Cut, empty, or something else."""
    with pytest.raises(UserError, match="name cannot be read as a table"):
        plain(data, "name")


def test_compressed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole ones are read; cut ones, others and bombs are not."""
    path = tmp_path / "x.pbz2"
    whole = bz2.compress(pickle.dumps([1.5]))
    path.write_bytes(whole)
    assert read_plain_bz2(path) == [1.5]
    path.write_bytes(whole[:-9])
    with pytest.raises(UserError, match="ends early"):
        read_plain_bz2(path)
    path.write_bytes(b"no archive at all")
    with pytest.raises(UserError, match="no bz2 file"):
        read_plain_bz2(path)
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 2**20)
    path.write_bytes(bz2.compress(bytes(2**24)))
    assert path.stat().st_size < 1000
    with pytest.raises(UserError, match="unpacks to more than 1 MB"):
        read_plain_bz2(path)
