"""Arrow data as blocks. The only modules that import pyarrow are this one and `agent.profile.files`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Block, Kind, Opaque, Source, Texts, Values

Batches = Callable[[Sequence[int]], Iterable[pa.RecordBatch]]
"""Starts reading from the first row: batches with the columns at the places asked for, in that order."""


class ArrowSource:
    """Record batches that can be read again and again.

    Parameters
    ----------
    schema
        Names and types of the columns.
    rows
        How many there are.
    batches
        Starts a reading.
    """

    def __init__(self, schema: pa.Schema, rows: int, batches: Batches) -> None:
        self.names: tuple[str, ...] = tuple(schema.names)
        self.kinds: tuple[Kind, ...] = kinds_of(schema)
        self.rows: int = rows
        self._batches = batches

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """See `agent.profile.blocks.Source.blocks`."""
        seen = 0
        kinds = [self.kinds[i] for i in wanted]
        for table in _recut(map(_plain, self._batches(wanted)), rows):
            columns = (_values(column, kind) for column, kind in zip(table.columns, kinds, strict=True))
            yield Block(table.num_rows, tuple(columns))
            seen += table.num_rows
        if seen != self.rows:
            message = f"the data had {self.rows} rows at first and {seen} when read again"
            raise ProfileError(f"{message}: it is read twice, so pass a table or a file that does not change meanwhile")


def open_object(data: Any) -> Source:
    """Take a pandas or polars DataFrame, a pyarrow Table, or any object of the Arrow C data interface.

    Raises
    ------
    ProfileError
        If it is something else, can be read only once, or Arrow can't hold its values.
    """
    if isinstance(data, pa.RecordBatchReader):
        raise ProfileError("a RecordBatchReader can be read only once, and a profile takes two readings: pass reader.read_all()")
    try:
        table = _table(data)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ProfileError(f"Arrow can't hold this {type(data).__name__}: {error}") from error
    return ArrowSource(table.schema, table.num_rows, lambda wanted: table.select(list(wanted)).to_batches())


def _table(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return pa.Table.from_pandas(data, preserve_index=False)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    if hasattr(data, "__arrow_c_array__"):
        return pa.Table.from_batches([pa.record_batch(data)])
    raise ProfileError(
        f"can't build a profile from a {type(data).__name__}: "
        "pass a path, a dict of arrays, a pandas or polars DataFrame, or Arrow data"
    )


def kinds_of(schema: pa.Schema) -> tuple[Kind, ...]:
    """Tell each column's kind.

    Raises
    ------
    ProfileError
        If there are columns of lists, structs or maps, which no type of the profile fits.
    """
    kinds = [_kind(field.type) for field in schema]
    nested = [f"{field.name} ({field.type})" for field, kind in zip(schema, kinds, strict=True) if kind is None]
    if nested:
        raise ProfileError(f"no profile can be made of nested columns: {', '.join(nested)}; exclude or flatten them")
    return tuple(kind for kind in kinds if kind is not None)


def _kind(type: pa.DataType) -> Kind | None:
    checks: tuple[tuple[Kind, Callable[[pa.DataType], bool]], ...] = (
        ("null", pa.types.is_null),
        ("boolean", pa.types.is_boolean),
        ("integer", pa.types.is_integer),
        ("number", lambda t: pa.types.is_floating(t) or pa.types.is_decimal(t)),
        ("datetime", pa.types.is_temporal),
        ("text", _is_text),
    )
    if pa.types.is_dictionary(type):
        return "category" if _kind(type.value_type) == "text" else _kind(type.value_type)
    return next((kind for kind, is_kind in checks if is_kind(type)), None)


def _is_text(type: pa.DataType) -> bool:
    tests = ("is_string", "is_large_string", "is_string_view", "is_binary", "is_large_binary", "is_binary_view")
    return any(getattr(pa.types, test)(type) for test in tests) or pa.types.is_fixed_size_binary(type)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Undo dictionaries, whose indices differ from batch to batch."""
    types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in batch.schema]
    if types == [field.type for field in batch.schema]:
        return batch
    columns = [column.cast(plain) for column, plain in zip(batch.columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(columns))])


def _recut(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Cut batches of any length into tables of `rows` rows; the last one is shorter."""
    waiting: list[pa.RecordBatch] = []
    have = 0
    for batch in batches:
        start = 0
        while have + batch.num_rows - start >= rows:
            need = rows - have
            waiting.append(batch.slice(start, need))
            yield pa.Table.from_batches(waiting)
            waiting, have, start = [], 0, start + need
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            have += batch.num_rows - start
    if have:
        yield pa.Table.from_batches(waiting)


def _values(column: pa.ChunkedArray, kind: Kind) -> Values:
    if kind == "null":
        return np.full(len(column), np.nan)
    if kind in ("integer", "number"):
        return _numbers(column)
    if kind == "datetime":
        return Opaque(column.null_count)
    if kind == "boolean":
        codes = pc.fill_null(column.cast(pa.int8()), -1)
        return Texts(_numpy(codes).astype(np.int64), ("false", "true"))
    return _texts(column)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return _numpy(column).astype(np.float64)


def _texts(column: pa.ChunkedArray) -> Texts:
    if not pa.types.is_large_string(column.type) and not pa.types.is_string(column.type):
        column = column.cast(pa.large_binary() if "binary" in str(column.type) else pa.large_string())
    encoded = pc.dictionary_encode(column).unify_dictionaries()
    if not encoded.num_chunks:
        return Texts(np.empty(0, dtype=np.int64), ())
    codes = np.concatenate([_numpy(pc.fill_null(chunk.indices, -1)) for chunk in encoded.chunks]).astype(np.int64)
    labels = encoded.chunk(0).dictionary.to_pylist()
    return Texts(codes, tuple(label.decode("utf-8", "replace") if isinstance(label, bytes) else label for label in labels))


def _numpy(array: Any) -> NDArray[Any]:
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy()
    return values
