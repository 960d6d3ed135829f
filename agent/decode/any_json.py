"""JSON of no promised form: parsed, unwrapped, and read as the table that it most likely is."""

from __future__ import annotations

from typing import Any

import msgspec

from agent.decode.block import MAX_COLUMNS, MAX_PADDED_CELLS, SCALARS, Block, Row, table_of_columns, table_of_rows
from agent.decode.json_text import JSON_FAULTS, lenient, may_be_lenient
from agent.errors import DecodeError

_AROUND = frozenset({"data", "configuration"})
_VECTOR = frozenset({"values", "keys", "shape"})

_decode = msgspec.json.Decoder().decode


def parse(body: bytes) -> Any:
    """Parse JSON, bare ``NaN`` and ``Infinity`` included.

    Raises
    ------
    DecodeError
        ``json``
    """
    try:
        return _decode(body)
    except JSON_FAULTS as error:
        if may_be_lenient(body, error):
            return lenient(body)
        raise DecodeError("json", "json") from None


def table_of(value: Any, *, flat_list_is_row: bool) -> Block:
    """Read a list of rows, an object of columns, one object (a row) or one scalar (a row of one value).

    Parameters
    ----------
    flat_list_is_row
        Whether a list of scalars is one row (a feature vector) or a row for each (predictions).

    Raises
    ------
    NotObserved, DecodeError
        As `table_of_rows`.
    """
    value = unwrapped(value)
    if type(value) is list:
        if flat_list_is_row and value and SCALARS.issuperset(map(type, value)):
            row: list[Row] = [value]
            return table_of_rows(row)
        return table_of_rows(value)
    if type(value) is dict:
        return table_of_columns(value)
    return table_of_rows([value])


def unwrapped(rows: Any) -> Any:
    """Take the vectors out of rows that are objects around one vector each; anything else is given back as it is.

    The objects are those of SageMaker's built-in algorithms: ``{"features": [...]}``, ``{"data": [...]}`` and
    ``{"data": {"features": {"values": [...]}}}``. With ``keys`` and ``shape`` beside the values the vector is sparse, and zero
    where no key points to.

    Raises
    ------
    DecodeError
        ``shape`` where keys, values and shape don't fit, ``too_many_columns``, ``too_many_values``.
    """
    if type(rows) is not list:
        return rows
    vectors = []
    cells = 0
    for row in rows:
        vector = _vector(row)
        if vector is None:
            return rows
        if type(vector) is dict:
            vector, added = _filled(vector, MAX_PADDED_CELLS - cells)
            cells += added
        vectors.append(vector)
    return vectors


def _vector(row: Any) -> Any:
    """Give the list in a row, or the object with ``values``; ``None`` if the row is no such object."""
    if type(row) is not dict:
        return None
    inner: Any = row
    if "data" in inner and inner.keys() <= _AROUND:
        inner = inner["data"]
    if type(inner) is dict and len(inner) == 1 and "features" in inner:
        inner = inner["features"]
    if inner is row:
        return None
    is_vector = type(inner) is list or (type(inner) is dict and type(inner.get("values")) is list and inner.keys() <= _VECTOR)
    return inner if is_vector else None


def _filled(vector: dict[str, Any], room: int) -> tuple[list[Any], int]:
    """Give the values of a dense vector, or those of a sparse one in their places and how many cells that took."""
    values, keys, shape = vector["values"], vector.get("keys"), vector.get("shape")
    if keys is None:
        return values, 0
    if type(keys) is not list or len(keys) != len(values) or type(shape) is not list or list(map(type, shape)) != [int]:
        raise DecodeError("table", "shape")
    (width,) = shape
    if width > MAX_COLUMNS:
        raise DecodeError("table", "too_many_columns")
    if width > room:
        raise DecodeError("table", "too_many_values")
    row: list[Any] = [0] * width
    for key, value in zip(keys, values, strict=True):
        if type(key) is not int or not 0 <= key < width:
            raise DecodeError("table", "shape")
        row[key] = value
    return row, width
