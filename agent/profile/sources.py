"""Where the training data comes from: arrays and lists here, everything else through pyarrow, which is imported only then."""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Block, Files, Kind, Opaque, Source, Tensors, Texts, Values, is_missing, texts_of
from agent.profile.times import NEVER, from_microseconds, times_of
from agent.summarise.image_file import is_image

_NO_ARRAYS = "column {name!r} holds lists that are no arrays of numbers ({error}); exclude it"

NEEDS_PYARROW = "reading {what} needs pyarrow: pip install 'outrider[profile]'"


def open_source(data: object) -> Source:
    """Find out how to read `data`.

    Parameters
    ----------
    data
        A mapping from column names to arrays or lists; or a path, a list of paths, a pandas or polars DataFrame, or any
        object of the Arrow C data interface, for which pyarrow must be installed.

    Raises
    ------
    ProfileError
        If it is none of these, can be read only once, is malformed or empty, or if pyarrow is missing.
    """
    if isinstance(data, Mapping):
        return ArraySource(data)
    paths = _paths(data)
    try:
        from agent.profile import arrow, files  # noqa: PLC0415 - an extra that the sidecar runs without
    except ImportError:
        what = f"{paths[0]}" if paths else f"a {type(data).__name__}"
        raise ProfileError(NEEDS_PYARROW.format(what=what)) from None
    return files.open_files(paths) if paths else arrow.open_object(data)


def _paths(data: object) -> list[Path]:
    if isinstance(data, (str, os.PathLike)):
        return [Path(data)]
    if isinstance(data, (list, tuple)):
        if data and all(isinstance(item, (str, os.PathLike)) for item in data):
            return [Path(item) for item in data]
        raise ProfileError("a list must hold paths of files; pass columns as a dict from names to arrays")
    return []


class ArraySource:
    """Columns in memory as numpy arrays or lists; needs nothing but numpy. An array of more dimensions has a tensor a row."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.names: tuple[str, ...] = tuple(str(name) for name in data)
        arrays = [_array(name, values) for name, values in zip(self.names, data.values(), strict=True)]
        lengths = {len(array) for array in arrays}
        if len(lengths) > 1:
            sizes = ", ".join(f"{name}: {len(array)}" for name, array in zip(self.names, arrays, strict=True))
            raise ProfileError(f"the columns differ in length: {sizes}")
        self.rows: int = lengths.pop() if lengths else 0
        kinds = tuple(_kind(array) for array in arrays)
        named = zip(self.names, arrays, kinds, strict=True)
        self.shapes: tuple[tuple[int, ...], ...] = tuple(_shape(name, array, kind) for name, array, kind in named)
        # Lists of which every one is empty tell nothing.
        pairs = zip(kinds, self.shapes, strict=True)
        self.kinds: tuple[Kind, ...] = tuple("null" if kind == "tensor" and not shape else kind for kind, shape in pairs)
        self._arrays = arrays

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """See `Source.blocks`."""
        for start in range(0, self.rows, rows):
            stop = min(start + rows, self.rows)
            values = (_values(self._arrays[i][start:stop], self.kinds[i], self.names[i]) for i in wanted)
            yield Block(stop - start, tuple(values))


def _array(name: str, values: object) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        array = values
    else:
        items = list(values) if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) else None
        if items is None:
            raise ProfileError(f"column {name!r} is a {type(values).__name__}: pass a numpy array or a list")
        array = np.fromiter(items, dtype=object, count=len(items))
    if array.ndim == 0 or 0 in array.shape[1:] or (array.ndim > 1 and array.dtype.kind not in "biufO"):
        raise ProfileError(f"column {name!r} has the shape {array.shape} and the type {array.dtype}: pass one value a row")
    return array


_KINDS: dict[str, Kind] = {
    "b": "boolean", "i": "integer", "u": "integer", "f": "number", "U": "text", "S": "text", "M": "datetime", "m": "datetime",
}  # fmt: skip


def _kind(array: NDArray[Any]) -> Kind:
    """Tell what an array holds; a mixture of texts with anything, or of booleans with numbers, is text."""
    if array.dtype.kind != "O" or array.ndim > 1:
        return "tensor" if array.ndim > 1 else _KINDS.get(array.dtype.kind, "text")
    kinds = {_kind_of_type(kind) for kind in {type(value) for value in array if not is_missing(value)}}
    if not kinds:
        return "null"
    if kinds == {"text"} and is_image(next((value for value in array if isinstance(value, bytes)), b"")):
        return "image_file"
    if kinds <= {"integer", "number"}:
        return "number" if "number" in kinds else "integer"
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind_of_type(kind: type) -> Kind:
    if issubclass(kind, (bool, np.bool_)):
        return "boolean"
    if issubclass(kind, (int, np.integer)):
        return "integer"
    if issubclass(kind, (float, np.floating, Decimal)):
        return "number"
    if issubclass(kind, (list, tuple, np.ndarray)):
        return "tensor"
    return "datetime" if issubclass(kind, (dt.date, dt.time, dt.timedelta, np.datetime64)) else "text"


def _shape(name: str, array: NDArray[Any], kind: Kind) -> tuple[int, ...]:
    """Give the shape of the first value that is there; see `Source.shapes`."""
    if array.ndim > 1:
        return array.shape[1:]
    if kind == "image_file":
        return (len(next(value for value in array if isinstance(value, bytes))),)
    if kind == "tensor":
        try:
            return next((shape for shape in map(np.shape, array) if 0 not in shape and shape), ())
        except ValueError as error:
            raise ProfileError(_NO_ARRAYS.format(name=name, error=error)) from error
    return ()


def _values(array: NDArray[Any], kind: Kind, name: str) -> Values:
    if kind in ("tensor", "image_file"):
        return _tensors(array, name) if kind == "tensor" else _files(array)
    if kind in ("null", "integer", "number"):
        return np.full(len(array), np.nan) if kind == "null" else _numbers(array)
    if kind == "datetime":
        missing = np.isnat(array).sum() if array.dtype.kind in "mM" else sum(map(is_missing, array))
        return Opaque(int(missing), _times(array))
    if kind == "boolean" and array.dtype.kind == "b":
        return Texts(array.astype(np.int64), ("false", "true"))
    return texts_of(array.tolist())


def _times(array: NDArray[Any]) -> NDArray[np.int64] | None:
    """Give when the values are; ``None`` for durations and times of day."""
    if array.dtype.kind == "M":
        found = array.astype("M8[us]").view(np.int64)
        return np.where(np.isnat(array), NEVER, from_microseconds(found))
    if array.dtype.kind != "O" or any(isinstance(value, (dt.time, dt.timedelta)) for value in array):
        return None
    return np.array([NEVER if is_missing(value) else _time(value) for value in array], dtype=np.int64)


def _time(value: Any) -> int:
    if isinstance(value, np.datetime64):
        return int(from_microseconds(value.astype("M8[us]").reshape(1).view(np.int64))[0])
    text = value.isoformat()
    return int(times_of(Texts(np.zeros(1, dtype=np.int64), (text,)), "")[0])


def _numbers(array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind == "O":
        return np.array([np.nan if is_missing(value) else _float(value) for value in array], dtype=np.float64)
    return array.astype(np.float64)


def _files(array: NDArray[Any]) -> Files:
    return Files(tuple(value if isinstance(value, bytes) else None for value in array.tolist()))


def _tensors(array: NDArray[Any], name: str) -> Tensors:
    try:
        if array.ndim > 1:
            shapes = np.tile(np.array(array.shape[1:], dtype=np.int64), (len(array), 1))
            return Tensors(array.astype(np.float64).reshape(-1), shapes)
        values = [np.asarray([] if is_missing(value) else value, dtype=np.float64) for value in array]
    except (TypeError, ValueError) as error:
        raise ProfileError(_NO_ARRAYS.format(name=name, error=error)) from error
    ranks = {value.ndim for value in values if value.size}
    if len(ranks) > 1:
        raise ProfileError(f"column {name!r} holds arrays of {min(ranks)} and of {max(ranks)} dimensions; exclude it")
    rank = max(ranks, default=1)
    shapes = np.array([value.shape if value.size else (0,) * rank for value in values], dtype=np.int64).reshape(-1, rank)
    return Tensors(np.concatenate([value.reshape(-1) for value in values]), shapes)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all doubles
        return math.inf if value > 0 else -math.inf
