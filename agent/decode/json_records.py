"""Large tables of named values in JSON, where some of the values are arrays too wide for columns: images by name.

``[{"img": [[[0, 1, 2], ...], ...], "age": 3}, ...]``, or as columns ``{"img": [[[[0, 1, 2], ...], ...], ...], "age": [3, ...]}``.
The wide arrays are read by `json_nested`, and so are columns that are nothing but numbers; all else as it always is. What is read
here, `block.table_of_rows` and `block.table_of_columns` read the same, the latter behind `block.scalars_repeated`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import simdjson
from numpy.typing import NDArray

from agent.batch import Table, TensorType
from agent.decode.arrays import MAX_FLATTENED, table_of
from agent.decode.block import Block, scalars_repeated, table_of_columns, table_of_rows
from agent.decode.json_arrays import LARGE_BODY, first_of, holds_texts, read_large, rows_in
from agent.decode.json_nested import NotRegular, Path, members_of, nested_numbers, prove_regular, shape_in
from agent.decode.tensors import joined

LARGE_RECORD = 8 << 10
"""Objects of so many bytes on average may hold an array too wide for columns; to try smaller ones costs them a fifth."""

_Found = dict[str, list[tuple[NDArray[np.float64], tuple[int, ...]]]]
"""By name: the values and the shapes of wide arrays."""


def may_be_large(body: bytes) -> bool:
    """Tell whether `large_table` is worth a try."""
    if len(body) < LARGE_BODY or holds_texts(body):
        return False
    return body.find(b"[{", 0, 1024) < 0 or body.count(b"{") * LARGE_RECORD <= len(body)


def large_table(body: bytes, *paths: Sequence[str]) -> Block | None:
    """Read a large list of rows of numbers, or objects and columns with wide arrays of numbers in them.

    Parameters
    ----------
    paths
        Where the table may be, as keys: ``("instances",)``. The first that is there counts.

    Returns
    -------
    Block or None
        ``None`` where the complete way has to look.
    """
    may_be_files = b'"b64"' in body

    def read(document: Any, brackets: int) -> Block:
        path, data = first_of(document, paths)
        is_columns = isinstance(data, simdjson.Object)
        if not is_columns and not isinstance(data[0], simdjson.Object):
            return rows_in(body, document, brackets, path, data)
        if may_be_files:
            raise NotRegular
        shapes: dict[Path, tuple[int, ...]] = {}
        block = _columns(data, path, shapes) if is_columns else _records(data, path, shapes)
        prove_regular(body, document, shapes)
        return block

    return read_large(body, read)


def _records(data: Any, path: Path, shapes: dict[Path, tuple[int, ...]]) -> Block:
    found: _Found = {}
    others: list[dict[str, Any]] = []
    for place, record in enumerate(data):
        if not isinstance(record, simdjson.Object):
            raise NotRegular
        other = {}
        for name, value in members_of(record):
            if _is_wide(value, 0):
                numbers = nested_numbers(value)
                shapes[(*path, place, name)] = numbers[1]
                found.setdefault(name, []).append(numbers)
            else:
                other[name] = _plain(value)
        if not found:
            raise NotRegular
        others.append(other)
    rows = len(others)
    beside = table_of_rows(others) if any(others) else Block((), True, rows, b"")
    return _with_tables(beside, found, rows)


def _columns(data: Any, path: Path, shapes: dict[Path, tuple[int, ...]]) -> Block:
    found: _Found = {}
    others: dict[str, Any] = {}
    columns = dict(members_of(data))
    wide = {name for name, value in columns.items() if _is_wide(value, 1)}
    if not wide:
        return _number_columns(columns, path, shapes)
    for name, value in columns.items():
        if name in wide:
            values, shape = nested_numbers(value)
            shapes[(*path, name)] = shape
            found[name] = [(part, shape[1:]) for part in values.reshape(shape[0], -1)]
        else:
            others[name] = _plain(value)
    rows = max(map(len, found.values()), default=0)
    beside = table_of_columns(scalars_repeated(others, rows)) if others else Block((), True, rows, b"")
    return _with_tables(beside, found, rows)


def _number_columns(columns: Mapping[str, Any], path: Path, shapes: dict[Path, tuple[int, ...]]) -> Block:
    if not columns:
        raise NotRegular
    arrays: list[NDArray[np.float64]] = []
    for name, value in columns.items():
        values, shape = nested_numbers(value)
        shapes[(*path, name)] = shape
        if len(shape) > 1 or (arrays and len(values) != len(arrays[0])):
            raise NotRegular
        arrays.append(values.reshape(-1, 1))
    rows = len(arrays[0])
    return Block(tuple(columns), True, rows, joined(arrays, rows, len(arrays)))


def _is_wide(value: Any, skipped: int) -> bool:
    return isinstance(value, simdjson.Array) and len(value) > 0 and math.prod(shape_in(value)[skipped:]) > MAX_FLATTENED


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value


def _with_tables(beside: Block, found: _Found, rows: int) -> Block:
    tables: list[Table] = []
    for name, pieces in found.items():
        shape = pieces[0][1]
        if len(pieces) != rows or any(other != shape for _, other in pieces):
            raise NotRegular
        tables.append(table_of(TensorType(name, "", shape), rows, np.concatenate([values for values, _ in pieces])))
    if not tables or beside.rows != rows or beside.tables:
        raise NotRegular
    return msgspec.structs.replace(beside, tables=tuple(tables))
