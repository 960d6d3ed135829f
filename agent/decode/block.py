"""Tables as they come out of a message, before messages of the same layout are gathered into columns.

A `Block` is one side of one exchange. Where every value is a number or missing, it holds row-major float64 bytes: packing a
row of 50 costs 6 ns a value, and gathering thousands of single rows is then one `bytes.join` and one `numpy.frombuffer`.
Otherwise it holds the rows themselves, and the kind of each column is decided when all rows are together.

The readers of typed JSON (`numbers`) are fast and know that a list holds floats, ``None`` and lists of them. The readers of
any JSON (`table_of_rows`, `table_of_columns`) take everything; on numbers both give the same block.

What has too many values a row for a column each (an image, a long vector) is a table beside the columns: `agent.decode.arrays`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, starmap
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import Table, TensorType
from agent.decode.arrays import (
    MAX_COLUMNS,
    MAX_FLATTENED,
    MAX_RANK,
    NUMBERS,
    SCALARS,
    NotObserved,
    Scalar,
    as_float,
    flat_values,
    is_wide,
    nested_shape,
    table_of_arrays,
    wide_arrays,
)
from agent.decode.flat_records import MAX_STEM, flat_record
from agent.errors import DecodeError

__all__ = [
    "MAX_COLUMNS",
    "MAX_FLATTENED",
    "MAX_PADDED_CELLS",
    "MAX_RANK",
    "MAX_ROWS",
    "MAX_STEM",
    "NUMBERS",
    "SCALARS",
    "Block",
    "NotObserved",
    "Row",
    "Scalar",
    "as_float",
    "block_of",
    "flat_values",
    "numbers",
    "numbers_by_column",
    "pack_flat",
    "pack_one",
    "packers",
    "scalars_repeated",
    "table_of_columns",
    "table_of_rows",
]

MAX_ROWS = 1 << 20
"""More rows than this in one message are refused; a captured megabyte of JSON holds half as many at most."""

MAX_PADDED_CELLS = 1 << 21
"""Records with different keys are padded to the union of the keys, which grows with rows x keys: this bounds it."""

MAX_REPEATED_CELLS = 1 << 18
"""What is said once for all rows is filled into each of them up to so many cells, where each cell takes Python objects: texts,
and the context of examples. A body of some bytes would be megabytes otherwise."""

Row = Sequence[Any]


class Block(msgspec.Struct, frozen=True, gc=False):
    """One side of one exchange.

    Parameters
    ----------
    names
        The number of columns where the wire carries no names, else the names.
    numeric
        Whether every value is a number or missing.
    rows
        How many rows, at least 1.
    values
        If numeric: row-major float64 in native byte order, missing as NaN; or, for large tables, an array of float64 with a
        row for each column, shape ``(width, rows)``. Else a list of rows of `Scalar`.
    version, model
        The model's version and name where the message itself says them.
    id
        The request's id where the message bears one.
    tensors
        What the wire says of the tensors that the columns come from; empty where it says nothing.
    left_out
        Why parts of this side are not in the block: messages of a stream with another layout, or that can't be read. Each
        is counted as a side that can't be read is.
    tables
        What is too wide for columns, each with `rows` rows. Where there is nothing else there are no names, and no values.
    """

    names: int | tuple[str, ...]
    numeric: bool
    rows: int
    values: bytes | list[Row] | NDArray[np.float64]
    version: str = ""
    model: str = ""
    id: str = ""
    tensors: tuple[TensorType, ...] = ()
    left_out: tuple[DecodeError, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def width(self) -> int:
        """How many columns."""
        return self.names if isinstance(self.names, int) else len(self.names)


class _Packers(dict[int, Callable[..., bytes]]):
    """``packers[width](*row)``: made on first use; one of a few hundred bytes per width, at most `MAX_COLUMNS` of them."""

    def __missing__(self, width: int) -> Callable[..., bytes]:
        if width > MAX_COLUMNS:
            raise DecodeError("table", "too_many_columns")
        if width < 1:
            raise DecodeError("table", "no_columns")
        pack = self[width] = struct.Struct(f"{width}d").pack
        return pack


packers = _Packers()
pack_one = struct.Struct("d").pack


def pack_flat(values: Sequence[float]) -> bytes:
    """Pack numbers that are known to be numbers, of any count.

    Raises
    ------
    struct.error
        Where one is not: ``None``, a list.
    """
    count = len(values)
    if count == 1:
        return pack_one(values[0])
    return packers[count](*values) if 0 < count <= 64 else struct.pack(f"{count}d", *values)


def numbers(items: Sequence[Any]) -> Block:
    """Read rows from typed JSON: lists, objects, or scalars of float and ``None`` only, never a boolean.

    Cost: 0.25 µs for a row of ten, 6 ns a value for long tables without missing values.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide``.
    DecodeError
        As `table_of_rows`.
    """
    if items and type(items[0]) is list and len(items[0]) > MAX_COLUMNS:
        return table_of_rows(items)
    try:
        if len(items) == 1:
            return _one_row(items[0])
        kind = type(items[0]) if items else None
        if kind is list:
            width = len(items[0])
            return Block(width, True, len(items), b"".join(starmap(packers[width], items)))
        if kind is float:
            return Block(1, True, len(items), pack_flat(items))
        if kind is dict:
            names = tuple(items[0])
            if all(map(names.__eq__, map(tuple, items))):
                pack = packers[len(names)]
                return Block(names, True, len(items), b"".join([pack(*item.values()) for item in items]))
    except (struct.error, TypeError):
        pass  # missing values, deeper arrays, or rows that differ
    return _with_missing(items) or table_of_rows(items)


def _with_missing(items: Sequence[Any]) -> Block | None:
    """Read rows of typed JSON some of whose values are missing; ``None`` where the careful way has to look."""
    kind = type(items[0]) if items else None
    if kind not in (list, dict) or set(map(type, items)) != {kind}:
        return None
    width = len(items[0])
    names: int | tuple[str, ...] = width
    rows = items
    if kind is dict:
        names = tuple(items[0])
        if not all(map(names.__eq__, map(tuple, items))):
            return None
        rows = [item.values() for item in items]
    elif set(map(len, items)) != {width}:
        return None
    packed = pack_rows(rows, width)
    return Block(names, True, len(items), packed) if packed is not None else None


def pack_rows(rows: Iterable[Iterable[float | None]], width: int) -> bytes | None:
    """Pack rows of numbers, missing as NaN, whose lengths are known; ``None`` for arrays and numbers beyond float64."""
    packers[width]  # refuses too many columns, and none
    try:
        flat = np.array(list(chain.from_iterable(rows)), dtype=np.float64)  # numpy takes None for NaN
    except (ValueError, TypeError, OverflowError):
        return None
    return flat.tobytes() if flat.ndim == 1 else None


def _one_row(row: Any) -> Block:
    """Read the only row; 0.3 µs faster than the way for many."""
    kind = type(row)
    if kind is list:
        width = len(row)
        return Block(width, True, 1, packers[width](*row))
    if kind is float:
        return Block(1, True, 1, pack_one(row))
    if kind is dict:
        return Block(tuple(row), True, 1, packers[len(row)](*row.values()))
    raise TypeError


def numbers_by_column(names: int | tuple[str, ...], columns: Sequence[Sequence[float | None]], version: str = "") -> Block | None:
    """Join columns of typed JSON (float and ``None``) of equal length.

    Gives ``None`` where the careful way has to look: columns that are none, missing values, other lengths.
    """
    if not columns or not columns[0]:
        return None
    try:
        packed = b"".join(starmap(packers[len(columns)], zip(*columns, strict=True)))
    except (struct.error, TypeError, ValueError):
        return None
    return Block(names, True, len(columns[0]), packed, version)


def table_of_rows(items: Sequence[Any]) -> Block:
    """Read rows from any JSON: lists are positional rows, objects named rows, scalars rows of one value.

    Arrays within a row are flattened: in a list by position, in an object to ``name[0]``, ``name[1]``, ...; an object
    within an object to ``name.key``. A key that some records lack is missing there.

    Rows, or arrays within objects, that are too wide for columns become tables.

    Raises
    ------
    NotObserved
        ``no_rows`` for an empty list, ``too_wide`` for arrays beyond `MAX_FLATTENED` that are not all numbers, or not everywhere.
    DecodeError
        ``mixed_rows``, ``ragged``, ``no_columns``, ``too_many_columns``, ``too_many_values``, ``shape``, ``name_too_long``.
    """
    if len(items) == 1:
        block = _one_mixed_row(items[0])
        if block is not None:
            return block
    if not items:
        raise NotObserved("table", "no_rows")
    kinds = set(map(type, items))
    if kinds == {list}:
        rows: Sequence[Row] = items
        if not SCALARS.issuperset(map(type, chain.from_iterable(items))):
            rows = [_flat_row(item) for item in items]
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            raise DecodeError("table", "ragged")
        if width > MAX_FLATTENED and is_wide(nested_shape(items[0])):
            return Block((), True, len(rows), b"", tables=(table_of_arrays("", items),))
        return block_of(width, rows)
    if kinds == {dict}:
        return _records(items)
    if kinds <= SCALARS:
        return block_of(1, [(item,) for item in items])
    raise DecodeError("table", "mixed_rows")


def _one_mixed_row(row: Any) -> Block | None:
    """Read the only row if its values are scalars and not all numbers; 2 µs faster than the way for many."""
    kind = type(row)
    if kind is dict:
        values = tuple(row.values())
        kinds = set(map(type, values))
        if kinds <= SCALARS and not kinds <= NUMBERS and len(values) <= MAX_COLUMNS:
            return Block(tuple(row), False, 1, [values])
    elif kind is list:
        kinds = set(map(type, row))
        if kinds <= SCALARS and not kinds <= NUMBERS and len(row) <= MAX_COLUMNS:
            return Block(len(row), False, 1, [row])
    elif kind is str or kind is bool:
        return Block(1, False, 1, [(row,)])
    return None


def table_of_columns(columns: Mapping[str, Any]) -> Block:
    """Read an object: lists are columns of equal length, scalars are one row.

    A column whose items are arrays becomes ``name[0]``, ``name[1]``, ...

    Raises
    ------
    NotObserved, DecodeError
        As `table_of_rows`; ``shape`` where lengths differ or lists and scalars are mixed.
    """
    values = list(columns.values())
    kinds = set(map(type, values))
    if kinds != {list}:
        if list in kinds:
            raise DecodeError("table", "shape")
        return table_of_rows([columns])
    rows = len(values[0])
    if any(len(value) != rows for value in values):
        raise DecodeError("table", "shape")
    if not rows:
        raise NotObserved("table", "no_rows")
    if all(SCALARS.issuperset(map(type, value)) for value in values):
        return block_of(tuple(columns), list(zip(*values, strict=True)))
    names = tuple(columns)
    return _records([dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)])


def scalars_repeated(columns: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Give scalars beside columns of so many rows to each row; all else stays as it is.

    Raises
    ------
    DecodeError
        ``too_many_values`` beyond `MAX_REPEATED_CELLS`.
    """
    scalars = {name for name, value in columns.items() if type(value) in SCALARS}
    if len(scalars) * rows > MAX_REPEATED_CELLS:
        raise DecodeError("table", "too_many_values")
    return {name: [value] * rows if name in scalars else value for name, value in columns.items()}


def block_of(names: int | tuple[str, ...], rows: Sequence[Row]) -> Block:
    """Make a block of rows of scalars, each as long as there are names.

    Raises
    ------
    DecodeError
        ``no_columns``, ``too_many_columns``, ``duplicate_names``.
    """
    if isinstance(names, int):
        width = names
    else:
        width = len(names)
        if len(set(names)) != width:
            raise DecodeError("table", "duplicate_names")
    pack = packers[width]
    if not NUMBERS.issuperset(map(type, chain.from_iterable(rows))):
        return Block(names, False, len(rows), list(rows))
    try:
        return Block(names, True, len(rows), b"".join(starmap(pack, rows)))
    except (struct.error, OverflowError):
        packed = pack_rows(rows, width)
        if packed is None or len(packed) != 8 * width * len(rows):
            packed = b"".join([pack(*map(as_float, row)) for row in rows])
        return Block(names, True, len(rows), packed)


def _flat_row(row: list[Any]) -> list[Any]:
    if SCALARS.issuperset(map(type, row)):
        return row
    return flat_values(row)


def _records(records: Sequence[dict[str, Any]]) -> Block:
    if list in map(type, records[0].values()):
        wide = wide_arrays(records[0])
        if wide:
            tables = tuple([table_of_arrays(name, [record.get(name) for record in records]) for name in wide])
            others = [{name: value for name, value in record.items() if name not in wide} for record in records]
            beside = _records(others) if any(others) else Block((), True, len(records), b"")
            return msgspec.structs.replace(beside, tables=tables)
    flat = [record if SCALARS.issuperset(map(type, record.values())) else flat_record(record) for record in records]
    names = tuple(flat[0])
    if all(tuple(record) == names for record in flat):
        return block_of(names, [tuple(record.values()) for record in flat])
    union: dict[str, None] = {}
    for record in flat:
        union.update(dict.fromkeys(record))
        if len(union) > MAX_COLUMNS:
            raise DecodeError("table", "too_many_columns")
    if len(union) * len(flat) > MAX_PADDED_CELLS:
        raise DecodeError("table", "too_many_values")
    return block_of(tuple(union), [tuple(map(record.get, union)) for record in flat])
