"""Reading pickles that hold nothing but data.

A pickle can call whatever it names, and benchmark archives come from file-sharing sites. What is
needed of them are containers, numbers and texts. So three names are known: `OrderedDict`, and the
two that NumPy writes its scalars with, which become plain numbers here; NumPy itself is not
called. Every other name is refused before it is looked up.
"""

from __future__ import annotations

import bz2
import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_spaces.errors import UserError

MAX_BYTES = 64 * 2**20
"""Largest pickle that is unpacked; those of NATS-Bench have less than 2 MB."""

_FORMATS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "u8": "Q", "u1": "B", "b1": "?"}


def read_plain_bz2(path: Path) -> Any:
    """What a bz2-compressed pickle holds.

    Raises:
        UserError: when it is not whole, too large, or names anything that is no data.
        FileNotFoundError: when there is none.
    """
    packed = path.read_bytes()
    decompressor = bz2.BZ2Decompressor()
    try:
        data = decompressor.decompress(packed, MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} is no bz2 file: {error}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} unpacks to more than {MAX_BYTES // 2**20} MB, which no table does")
    if not decompressor.eof:
        raise UserError(f"{path} ends early", hint="fetch it again")
    return plain(data, str(path))


def plain(data: bytes, name: str) -> Any:
    """What a pickle holds; `name` is how messages call it.

    Raises:
        UserError: when it is not whole or names anything that is no data.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a pickle can be wrong in every way
        raise UserError(f"{name} cannot be read as a table: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    # The two below are handed out as bound methods, whose attributes no pickle can set.

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """The few names that are known."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("numpy", "dtype"):
            return self._dtype
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return self._scalar
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no data")

    def _dtype(self, code: str, *_: Any) -> _DType:
        return _DType(code)

    def _scalar(self, dtype: _DType, data: bytes) -> float:
        value: float
        (value,) = struct.unpack(dtype.order + _FORMATS[dtype.code], data)
        return value


class _DType:
    """The type of a NumPy scalar: kind and size, and the order of its bytes."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"
