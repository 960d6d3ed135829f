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
from agent.profile.blocks import Block, Kind, Opaque, Source, Texts, Values, is_missing, texts_of

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
    """Columns in memory as numpy arrays or lists; needs nothing but numpy."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.names: tuple[str, ...] = tuple(str(name) for name in data)
        arrays = [_array(name, values) for name, values in zip(self.names, data.values(), strict=True)]
        lengths = {len(array) for array in arrays}
        if len(lengths) > 1:
            sizes = ", ".join(f"{name}: {len(array)}" for name, array in zip(self.names, arrays, strict=True))
            raise ProfileError(f"the columns differ in length: {sizes}")
        self.rows: int = lengths.pop() if lengths else 0
        self.kinds: tuple[Kind, ...] = tuple(_kind(array) for array in arrays)
        self._arrays = arrays

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """See `Source.blocks`."""
        for start in range(0, self.rows, rows):
            stop = min(start + rows, self.rows)
            yield Block(stop - start, tuple(_values(self._arrays[i][start:stop], self.kinds[i]) for i in wanted))


def _array(name: str, values: object) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        array = values
    else:
        items = list(values) if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) else None
        if items is None:
            raise ProfileError(f"column {name!r} is a {type(values).__name__}: pass a numpy array or a list")
        array = np.empty(len(items), dtype=object)
        array[:] = items
    if array.ndim != 1:
        raise ProfileError(f"column {name!r} has the shape {array.shape}: pass one dimension a column")
    return array


_KINDS: dict[str, Kind] = {
    "b": "boolean", "i": "integer", "u": "integer", "f": "number", "U": "text", "S": "text", "M": "datetime", "m": "datetime",
}  # fmt: skip


def _kind(array: NDArray[Any]) -> Kind:
    """Tell what an array holds; a mixture of texts with anything, or of booleans with numbers, is text."""
    if array.dtype.kind != "O":
        return _KINDS.get(array.dtype.kind, "text")
    kinds = {_kind_of_type(kind) for kind in {type(value) for value in array if not is_missing(value)}}
    if not kinds:
        return "null"
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
    return "datetime" if issubclass(kind, (dt.date, dt.time, dt.timedelta, np.datetime64)) else "text"


def _values(array: NDArray[Any], kind: Kind) -> Values:
    if kind == "null":
        return np.full(len(array), np.nan)
    if kind in ("integer", "number"):
        if array.dtype.kind == "O":
            return np.array([np.nan if is_missing(value) else _float(value) for value in array], dtype=np.float64)
        return array.astype(np.float64)
    if kind == "datetime":
        missing = np.isnat(array).sum() if array.dtype.kind in "mM" else sum(map(is_missing, array))
        return Opaque(int(missing))
    if kind == "boolean" and array.dtype.kind == "b":
        return Texts(array.astype(np.int64), ("false", "true"))
    return texts_of(array.tolist())


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all doubles
        return math.inf if value > 0 else -math.inf
