"""Arrow data as blocks. The only modules that import pyarrow are this one and `agent.profile.files`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Block, Files, Kind, Opaque, Source, Tensors, Texts, Values
from agent.profile.times import NEVER, from_microseconds
from agent.summarise.image_file import is_image

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
        self.rows: int = rows
        self._batches = batches
        kinds = list(kinds_of(schema))
        shapes: list[tuple[int, ...]] = [()] * len(schema)
        for place, field in enumerate(schema):
            if kinds[place] == "tensor" or _is_binary(field.type):
                kinds[place], shapes[place] = self._look(place, kinds[place])
        self.kinds: tuple[Kind, ...] = tuple(kinds)
        self.shapes: tuple[tuple[int, ...], ...] = tuple(shapes)

    def _look(self, place: int, kind: Kind) -> tuple[Kind, tuple[int, ...]]:
        """Look at the first value of lists, which may be vectors or images, and of bytes, which may be texts or files."""
        for batch in self._batches([place]):
            column = batch.column(0)
            for at in np.flatnonzero(_numpy(column.is_valid())).tolist():
                if kind != "tensor":
                    first = column[at].as_py()
                    return ("image_file", (len(first),)) if is_image(first) else (kind, ())
                shape = tuple(_tensors(pa.chunked_array([column.slice(at, 1)]), self.names[place]).shapes[0].tolist())
                if 0 not in shape:
                    return kind, shape
        return ("null" if kind == "tensor" else kind), ()

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """See `agent.profile.blocks.Source.blocks`."""
        seen = 0
        kinds = [(self.kinds[i], self.names[i]) for i in wanted]
        for table in _recut(map(_plain, self._batches(wanted)), rows):
            columns = (_values(column, kind, name) for column, (kind, name) in zip(table.columns, kinds, strict=True))
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
        If there are columns of structs, maps, or lists of anything but numbers, which no type of the profile fits.
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
        ("tensor", lambda t: depth_of(t) > 0),
    )
    if pa.types.is_dictionary(type):
        return "category" if _kind(type.value_type) == "text" else _kind(type.value_type)
    return next((kind for kind, is_kind in checks if is_kind(type)), None)


def _is_text(type: pa.DataType) -> bool:
    return _is_binary(type) or any(getattr(pa.types, test)(type) for test in ("is_string", "is_large_string", "is_string_view"))


def _is_binary(type: pa.DataType) -> bool:
    tests = ("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary")
    return any(getattr(pa.types, test)(type) for test in tests)


def _is_list(type: pa.DataType) -> bool:
    return any(getattr(pa.types, test)(type) for test in ("is_list", "is_large_list", "is_fixed_size_list"))


def depth_of(type: pa.DataType) -> int:
    """How many lists are within each other around numbers; 0 for anything else, numbers themselves too."""
    depth, inner = 0, type
    while _is_list(inner):
        inner, depth = inner.value_type, depth + 1
    return depth if pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner) else 0


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


def _values(column: pa.ChunkedArray, kind: Kind, name: str) -> Values:
    if kind in ("tensor", "image_file"):
        return _tensors(column, name) if kind == "tensor" else Files(tuple(column.to_pylist()))
    if kind in ("null", "integer", "number"):
        return np.full(len(column), np.nan) if kind == "null" else _numbers(column)
    if kind == "datetime":
        return Opaque(column.null_count, _times(column))
    if kind == "boolean":
        codes = pc.fill_null(column.cast(pa.int8()), -1)
        return Texts(_numpy(codes).astype(np.int64), ("false", "true"))
    return _texts(column)


def _times(column: pa.ChunkedArray) -> NDArray[np.int64] | None:
    if not pa.types.is_timestamp(column.type) and not pa.types.is_date(column.type):
        return None
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    try:
        micro = column.cast(options=pc.CastOptions(pa.timestamp("us", tz=zone), allow_time_truncate=True)).cast(pa.int64())
    except pa.ArrowInvalid:  # a year beyond 290,000: no time that a clock has given
        return np.full(len(column), NEVER)
    return np.where(_numpy(column.is_null()), NEVER, from_microseconds(_numpy(pc.fill_null(micro, 0)).astype(np.int64)))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return _numpy(column).astype(np.float64)


def _tensors(column: pa.ChunkedArray, name: str) -> Tensors:
    parts = [_tensor_chunk(chunk, name) for chunk in column.chunks]
    if not parts:
        return Tensors(np.empty(0), np.empty((0, depth_of(column.type)), dtype=np.int64))
    return Tensors(np.concatenate([part.values for part in parts]), np.concatenate([part.shapes for part in parts]))


def _tensor_chunk(lists: Any, name: str) -> Tensors:
    """Peel list after list off the numbers; every row must be as long in each dimension all over."""
    shapes = []
    counts = np.ones(len(lists), dtype=np.int64)
    while _is_list(lists.type):
        lengths = _numpy(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
        starts = np.cumsum(counts) - counts
        some = counts > 0
        lengths_of_rows = np.zeros(len(counts), dtype=np.int64)
        lengths_of_rows[some] = lengths[starts[some]]
        if (lengths != np.repeat(lengths_of_rows, counts)).any():
            raise ProfileError(f"column {name!r} holds lists of lists of different lengths, which are no arrays; exclude it")
        shapes.append(lengths_of_rows)
        counts = counts * lengths_of_rows
        lists = lists.flatten()
    if pa.types.is_boolean(lists.type):
        lists = lists.cast(pa.int8())
    return Tensors(_numpy(lists).astype(np.float64), np.column_stack(shapes))


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
