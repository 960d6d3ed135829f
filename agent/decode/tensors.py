"""Tensors of the Open Inference Protocol to columns: raw bytes to values, and the one naming rule that all transports share.

Raw bytes are little-endian and row-major, without padding. BOOL is one byte, 0 for false; BF16 is the upper half of an FP32;
an element of BYTES is its length as uint32 and so many bytes. The first dimension is the rows:

- One tensor ``[N, D]`` with D > 1: columns by position.
- Tensors of ``[N]`` or ``[N, 1]``: one named column each (MLServer reads ``[N]`` as ``[N, 1]``).
- Several tensors of which some are ``[N, D]``: columns ``name[0]`` to ``name[D-1]`` for those.
- Deeper tensors are flattened row by row, up to `MAX_FLATTENED` values a row.
- What is wider is no columns but a table, which bears the tensor's name; the columns beside it are then all named. So are the
  widest of several tensors of numbers that are more than `MAX_COLUMNS` columns together.

Numbers become float64, so INT64 and UINT64 beyond 2^53 lose their last digits. BOOL becomes ``True`` and ``False``, as in JSON.
BYTES become text. An element that is no UTF-8 but begins as an image does becomes text of one character a byte (Latin-1), which
the summaries of images take; any other becomes `NOT_TEXT`: it is there, so it must not count as missing.

Sources: "Open Inference Protocol", "Tensor Data Types"; Triton's "binary tensor data" extension.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.arrays import NUMBERS, is_wide, least_wide, table_of
from agent.decode.block import (
    MAX_COLUMNS,
    MAX_FLATTENED,
    MAX_RANK,
    MAX_STEM,
    Block,
    NotObserved,
    Scalar,
    block_of,
    pack_flat,
)
from agent.decode.opaque import begins_as_image
from agent.errors import DecodeError

NOT_TEXT = "(bytes)"
"""What stands for an element of BYTES that is no UTF-8."""

DATATYPES: dict[str, str] = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2", "INT32": "<i4",
    "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BF16": "<u2",
}  # fmt: skip
"""Datatypes of a fixed size, and how their elements lie in memory. The other one is BYTES."""

BLOCK_ROWS = 256
"""So many rows are turned at a time: 50 columns of them fit the innermost caches, and 1,000 x 50 take 19 µs instead of 40."""

SMALL_VALUES = 4096
"""Tables up to this size are packed row-major instead, which thousands of exchanges are joined faster from."""

_CODES = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
"""For `struct`, which is faster than numpy up to 64 values: 0.3 µs against 2 for a row of ten."""

_SIZES = {datatype: np.dtype(dtype).itemsize for datatype, dtype in DATATYPES.items()}
_LENGTH = struct.Struct("<I").unpack_from


class _Unpackers(dict[tuple[str, int], Callable[[bytes | memoryview], tuple[Any, ...]]]):
    """``few[datatype, count](data)``: made on first use, at most 12 x 64 of them."""

    def __missing__(self, key: tuple[str, int]) -> Callable[[bytes | memoryview], tuple[Any, ...]]:
        unpack = self[key] = struct.Struct(f"<{key[1]}{_CODES[key[0]]}").unpack
        return unpack


_few = _Unpackers()


def row_of(datatype: str, count: int) -> struct.Struct | None:
    """Give how so many raw numbers lie in memory; ``None`` for datatypes that `struct` does not know."""
    code = _CODES.get(datatype)
    return struct.Struct(f"<{count}{code}") if code is not None and datatype != "BOOL" else None


class RawTensor(NamedTuple):
    """A tensor as raw bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


Part = tuple[TensorType, int, NDArray[Any] | Sequence[Scalar]]
"""A tensor with its rows and its values: row-major, a flat array of any real type, or a list of scalars.

`part_of` gives up to 64 numbers as a tuple, which is theirs alone.
"""


def shape_of(shape: Sequence[int]) -> tuple[int, int]:
    """Give rows, and values a row. An empty shape is one value.

    Raises
    ------
    DecodeError
        ``shape`` where a dimension is negative, or there are more than `MAX_RANK`.
    NotObserved
        ``no_rows`` where there are no values.
    """
    if len(shape) == 2 and shape[0] > 0 < shape[1]:
        return shape[0], shape[1]
    if len(shape) > MAX_RANK or min(shape, default=0) < 0:
        raise DecodeError("open-inference", "shape")
    rows = shape[0] if shape else 1
    width = math.prod(shape[1:])
    if rows == 0 or width == 0:
        raise NotObserved("open-inference", "no_rows")
    return rows, width


def array_of(datatype: str, data: bytes | memoryview, count: int) -> NDArray[Any]:
    """Give the elements as they are, without a copy where the type has a counterpart in numpy; BF16 as float32.

    Raises
    ------
    DecodeError
        ``datatype`` where it is none of `DATATYPES`, ``size`` where `data` is not `count` elements long.
    """
    dtype = DATATYPES.get(datatype)
    if dtype is None:
        raise DecodeError("open-inference", "datatype")
    if len(data) != count * _SIZES[datatype]:
        raise DecodeError("open-inference", "size")
    if datatype == "BF16":
        upper: NDArray[Any] = np.frombuffer(data, "<u2").astype("<u4") << 16
        return upper.view("<f4")
    return np.frombuffer(data, "u1") != 0 if datatype == "BOOL" else np.frombuffer(data, dtype)


def numbers_of(datatype: str, data: bytes | memoryview, count: int) -> NDArray[np.float64]:
    """Give the elements as float64, shape ``(count,)``, a copy; BOOL as 0 and 1. Errors as `array_of`."""
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        return array_of(datatype, data, count).astype(np.float64)


def strings_of(data: bytes | memoryview, count: int) -> list[str]:
    """Give the elements of BYTES as text.

    Raises
    ------
    DecodeError
        ``size`` where `data` does not hold exactly `count` elements.
    """
    if len(data) < 4 * count:
        raise DecodeError("open-inference", "size")
    raw = bytes(data)
    texts: list[str] = []
    at, end = 0, len(raw)
    for _ in range(count):
        if at + 4 > end:
            raise DecodeError("open-inference", "size", offset=at)
        start = at + 4
        at = start + _LENGTH(raw, at)[0]
        texts.append(text_of(raw[start:at]))
    if at != end:  # also where the last element reaches beyond the end
        raise DecodeError("open-inference", "size", offset=min(at, end))
    return texts


def text_of(element: bytes) -> str:
    """Give one element of BYTES as text: an image as Latin-1, `NOT_TEXT` for other bytes."""
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element.decode("latin-1") if begins_as_image(element) else NOT_TEXT


def part_of(tensor: RawTensor) -> Part:
    """Read a raw tensor.

    Raises
    ------
    NotObserved, DecodeError
        As `shape_of`, `array_of` and `strings_of`.
    """
    name, datatype, shape, data = tensor
    rows, width = shape_of(shape)
    count = rows * width
    values: NDArray[Any] | Sequence[Scalar]
    if datatype == "BYTES":
        values = strings_of(data, count)
    elif count <= 64 and len(data) == count * _SIZES.get(datatype, 0) and datatype in _CODES:
        values = _few[datatype, count](data)
    else:
        values = array_of(datatype, data, count)
    return TensorType(name, datatype, shape[1:]), rows, values


def block_of_columns(parts: Sequence[Part], version: str = "", model: str = "", id: str = "") -> Block:
    """Join tensors to a table by the rule above.

    Parameters
    ----------
    parts
        Arrays of BOOL and lists of scalars are kept as they are; all other arrays become numbers.
    version, model, id
        For the block.

    Raises
    ------
    NotObserved
        ``no_rows`` where there are no tensors, ``too_wide`` for a wide one that is not of numbers.
    DecodeError
        ``shape`` where rows differ or values don't fill them, ``too_many_columns``, ``duplicate_names``, ``name_too_long``.
    """
    if not parts:
        raise NotObserved("open-inference", "no_rows")
    tensor, rows, flat = parts[0]
    if len(parts) == 1 and type(flat) is tuple and tensor.datatype != "BOOL":  # a few numbers, as `part_of` gives them
        width = len(flat) // rows
        return Block(width if width > 1 else (tensor.name,), True, rows, pack_flat(flat), version, model, id, (tensor,))
    widths = [len(values) // rows if rows > 0 else 0 for _, _, values in parts]
    if any(
        count != rows or not width or width * rows != len(part) for width, (_, count, part) in zip(widths, parts, strict=True)
    ):
        raise DecodeError("open-inference", "shape")
    if sum(widths) > MAX_FLATTENED:
        wide = _wide_places(parts, widths)
        if wide:
            return _with_tables(parts, wide, version, model, id)
    tensors = tuple([tensor for tensor, _, _ in parts])
    names = column_names(tensors, widths)
    arrays = [values.reshape(rows, -1) for _, _, values in parts if isinstance(values, np.ndarray) and values.dtype != np.bool_]
    if len(arrays) == len(parts):
        return Block(names, True, rows, joined(arrays, rows, sum(widths)), version, model, id, tensors)
    lists = [values.tolist() if isinstance(values, np.ndarray) else values for _, _, values in parts]
    if len(lists) == 1:
        (width,), (only,) = widths, lists
        table = [only] if rows == 1 else [only[at : at + width] for at in range(0, len(only), width)]
    else:
        table = list(
            zip(*[values[at::width] for width, values in zip(widths, lists, strict=True) for at in range(width)], strict=True)
        )
    block = block_of(names, table)
    return Block(names, block.numeric, rows, block.values, version, model, id, tensors)


def _wide_places(parts: Sequence[Part], widths: Sequence[int]) -> set[int]:
    """Give which tensors have to be tables: those too wide, and the widest of those that are too wide together."""
    wide = {place for place, (tensor, _, _) in enumerate(parts) if is_wide(tensor.shape)}
    room = MAX_COLUMNS - sum([width for place, width in enumerate(widths) if place not in wide])
    if room >= 0 or len(parts) == 1:
        return wide
    numeric = [place for place, part in enumerate(parts) if place not in wide and _are_numbers(part[2])]
    together = [widths[place] for place in numeric]
    least = least_wide(together, room + sum(together))
    return wide | {place for place in numeric if widths[place] >= least}


def _are_numbers(values: NDArray[Any] | Sequence[Scalar]) -> bool:
    return values.dtype != np.bool_ if isinstance(values, np.ndarray) else NUMBERS.issuperset(map(type, values))


def _with_tables(parts: Sequence[Part], wide: set[int], version: str, model: str, id: str) -> Block:
    """Join tensors to columns and tables; the rows are known to be the same."""
    if len({tensor.name for tensor, _, _ in parts}) != len(parts):
        raise DecodeError("open-inference", "duplicate_names")
    tables = tuple([table_of(*part) for place, part in enumerate(parts) if place in wide])
    narrow = [part for place, part in enumerate(parts) if place not in wide]
    if not narrow:
        return Block((), True, parts[0][1], b"", version, model, id, tables=tables)
    block = block_of_columns(narrow, version, model, id)
    names = column_names(block.tensors, [math.prod(tensor.shape) for tensor in block.tensors], alone=False)
    return msgspec.structs.replace(block, names=names, tables=tables)


def column_names(tensors: Sequence[TensorType], widths: Sequence[int], *, alone: bool = True) -> int | tuple[str, ...]:
    """Name the columns of tensors with so many values a row; `alone` where no others are beside. Errors as `block_of_columns`."""
    if sum(widths) > MAX_COLUMNS:
        raise DecodeError("open-inference", "too_many_columns")
    if len(tensors) == 1 and alone:
        return widths[0] if widths[0] > 1 else (tensors[0].name,)
    names: list[str] = []
    for tensor, width in zip(tensors, widths, strict=True):
        if width == 1:
            names.append(tensor.name)
        elif len(tensor.name) > MAX_STEM:
            raise DecodeError("open-inference", "name_too_long")
        else:
            names += [f"{tensor.name}[{index}]" for index in range(width)]
    if len(set(names)) != len(names):
        raise DecodeError("open-inference", "duplicate_names")
    return tuple(names)


def joined(arrays: Sequence[NDArray[Any]], rows: int, width: int) -> bytes | NDArray[np.float64]:
    """Put arrays of shape ``(rows, columns)`` of any real type beside one another, as `Block.values` are: turned if large."""
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        if rows * width <= SMALL_VALUES:
            table = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1, dtype=np.float64)
            return table.astype(np.float64, copy=False).tobytes()
        turned = np.empty((width, rows))
        column = 0
        for array in arrays:
            end = column + array.shape[1]
            for at in range(0, rows, BLOCK_ROWS):
                turned[column:end, at : at + BLOCK_ROWS] = array[at : at + BLOCK_ROWS].T
            column = end
    return turned
