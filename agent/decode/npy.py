r"""NumPy's file format, versions 1 to 3: one array. Never unpickled: arrays of objects are refused.

``\x93NUMPY``, two bytes of version, the length of the header (uint16 in version 1, uint32 from 2 on), the header, which is a
Python dictionary of ``descr``, ``fortran_order`` and ``shape``, and the elements. The header is matched, not evaluated.

Numbers become float64; booleans stay booleans; ``S`` and ``U`` are text. Columns have no names, their tensor says what they were.

Source: ``numpy.lib.format``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.block import Block
from agent.decode.tensors import block_of_columns, shape_of, text_of
from agent.errors import DecodeError

MAX_HEADER = 10_000
"""Bytes of a header, as `numpy.load` allows."""

_ENTRY = r"""['"](?:descr|fortran_order|shape)['"]\s*:\s*(?:'[^'\\]*'|"[^"\\]*"|True|False|\([\dL, ]*\))"""
_HEADER = re.compile(rf"\s*\{{\s*{_ENTRY}\s*,\s*{_ENTRY}\s*,\s*{_ENTRY}\s*,?\s*\}}\s*")
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z])(\d{0,9})['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\dL, ]*)\)""")

_SIZES = {"b": ("1",), "i": ("1", "2", "4", "8"), "u": ("1", "2", "4", "8"), "f": ("2", "4", "8")}
MAX_TEXT = 1 << 16
"""Characters of one element; longer ones are no category."""


def read_npy(body: bytes, *, flat_is_row: bool) -> Block:
    """Read an array: the first dimension is the rows; one without dimensions is one value.

    Parameters
    ----------
    flat_is_row
        Whether an array of one dimension is one row, or a row for each value.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide``
    DecodeError
        ``npy`` where it is no such file, ``pickle`` where it holds Python objects, ``datatype`` for other elements than above,
        ``size`` where there are more or fewer than the shape says, ``charset``, ``shape``, ``too_many_columns``.
    """
    header, start = _header(body)  # clients repeat theirs, so what it says is remembered
    dtype, is_fortran, shape = _described(header)
    if flat_is_row and len(shape) == 1:
        shape = (1, *shape)
    rows, width = shape_of(shape)
    if len(body) - start != rows * width * dtype.itemsize:
        raise DecodeError("npy", "size")
    array = np.frombuffer(body, dtype, offset=start)
    if is_fortran:
        array = np.ravel(array.reshape(shape, order="F"), order="C")
    name = {"S": "bytes", "U": "str"}.get(dtype.kind, dtype.name)  # without its length, which differs from array to array
    block = block_of_columns([(TensorType("", name, shape[1:]), rows, array if name == dtype.name else _texts(array))])
    return msgspec.structs.replace(block, names=block.width)


def _header(body: bytes) -> tuple[str, int]:
    """Give the header's text, and where the elements begin."""
    if body[:6] != b"\x93NUMPY" or len(body) < 12 or body[6] not in (1, 2, 3):
        raise DecodeError("npy", "npy")
    begin = 10 if body[6] == 1 else 12
    length = int.from_bytes(body[8:begin], "little")
    if length > MAX_HEADER or begin + length > len(body):
        raise DecodeError("npy", "npy", offset=8)
    return body[begin : begin + length].decode("latin-1"), begin + length


@lru_cache(maxsize=64)
def _described(header: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    order, shape, descr = _ORDER.search(header), _SHAPE.search(header), _DESCR.search(header)
    if "'|O'" in header or '"|O"' in header:
        raise DecodeError("npy", "pickle")
    if order is None or shape is None:
        raise DecodeError("npy", "npy")
    if descr is None:  # fields with names, or of types of their own
        raise DecodeError("npy", "datatype")
    if not _HEADER.fullmatch(header):
        raise DecodeError("npy", "npy")
    dimensions = tuple(_dimension(part) for part in shape[1].split(",") if part.strip())
    return _dtype(*descr.groups()), order[1] == "True", dimensions


def _dimension(text: str) -> int:
    digits = text.strip().rstrip("L")  # Python 2 wrote 3L
    if not digits.isdecimal() or len(digits) > 18:
        raise DecodeError("npy", "shape")
    return int(digits)


def _dtype(order: str, kind: str, size: str) -> np.dtype[Any]:
    if kind == "O":
        raise DecodeError("npy", "pickle")
    if kind in "SU":
        if not size.isdecimal() or not 0 < int(size) <= MAX_TEXT:
            raise DecodeError("npy", "datatype")
    elif size not in _SIZES.get(kind, ()):
        raise DecodeError("npy", "datatype")
    return np.dtype(f"{order}{kind}{size}")


def _texts(array: NDArray[Any]) -> list[str]:
    if array.dtype.kind == "S":
        return list(map(text_of, array.tolist()))
    codes = array.view(array.dtype.str[0] + "u4")
    # numpy doesn't look, and Python ends in a SystemError.
    if np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))):
        raise DecodeError("npy", "charset")
    texts: list[str] = array.tolist()
    return texts
