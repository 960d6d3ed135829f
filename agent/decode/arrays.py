"""Values and arrays of them, before they are columns: what a value is, how many there may be, and when they are too many.

Tensors, and arrays within JSON, become a column for each value a row. What is wider than that makes sense for, an image or a long
vector, becomes a `Table`, of which only summaries are made. Where several arrays are too wide only together, the widest do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import Table, TensorType
from agent.errors import DecodeError

MAX_COLUMNS = 10_000
"""No more columns: no training profile describes them one by one, and per-column state would be the client's to choose. Wider
rows of numbers without names are tables, and so are the widest of several tensors; all else is refused."""

MAX_FLATTENED = 4_096
"""Rows that are arrays themselves (images, embeddings of tokens) become columns up to this many values, as 64 x 64 pixels."""

MAX_TABLES = 256
"""No more tables than that are made of what is too wide only together, since each has summary columns."""

MAX_TABLE_VALUES = 1 << 22
"""More values than this in one table of what is too wide for columns are refused: 27 photographs of 224 x 224 pixels."""

MAX_RANK = 8
"""Arrays nested deeper than this are refused."""

Scalar = str | bool | int | float | None

NUMBERS = frozenset({int, float, type(None)})
SCALARS = frozenset({str, bool, int, float, type(None)})


class NotObserved(DecodeError):  # noqa: N818 - no error: the exchange is fine
    """Nothing is wrong with the message, but its values are not in it, or are not for this monitor.

    Same parameters as `DecodeError`; ``reason`` goes to the counter of unobserved exchanges.
    """


_NAN = float("nan")


def as_float(value: float | None) -> float:
    """Give a number as float64: NaN for ``None``, infinity for a whole number that is too large."""
    if value is None:
        return _NAN
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def flat_values(values: Any) -> list[Any]:
    """Flatten arrays of one depth and of equal lengths to their scalars, row-major.

    Raises
    ------
    DecodeError
        ``shape`` where depths or lengths differ, where there are objects, or beyond `MAX_RANK`.
    """
    for _ in range(MAX_RANK):
        kinds = set(map(type, values))
        if SCALARS.issuperset(kinds):
            return values if type(values) is list else list(values)
        if kinds != {list} or len(set(map(len, values))) != 1:
            break
        values = list(chain.from_iterable(values))
    raise DecodeError("table", "shape")


def is_wide(shape: Sequence[int]) -> bool:
    """Tell whether a row of this shape is too wide for columns."""
    return math.prod(shape) > (MAX_FLATTENED if len(shape) > 1 else MAX_COLUMNS)


def least_wide(widths: Sequence[int], most: int) -> int:
    """Give the width from which on arrays must become tables, so that all narrower ones are at most so many columns together.

    Those of one width become tables together, so that it does not depend on their order. A single value never does.

    Returns
    -------
    int
        At least 2; more than all widths where all of them can be columns, or where it would take more than `MAX_TABLES` tables.

    >>> least_wide([3, 3000, 4000, 3000], 5000), least_wide([3, 30], 100), least_wide([1] * 200, 100)
    (3000, 31, 2)
    """
    wide = sorted(width for width in widths if width > 1)
    total = sum(widths)
    least = max(widths, default=1) + 1
    count = len(wide)
    while wide and total > most:
        least = wide[-1]
        while wide and wide[-1] == least:
            total -= wide.pop()
    return least if count - len(wide) <= MAX_TABLES else max(widths) + 1


def wide_arrays(record: Mapping[str, Any]) -> list[str]:
    """Give the names of the lists in an object that are too wide for columns.

    They are those of more than `MAX_FLATTENED` values, and the widest of numbers where all others are more than that together.
    """
    widths = {name: math.prod(nested_shape(value)) for name, value in record.items() if type(value) is list}
    narrow = {name: width for name, width in widths.items() if width <= MAX_FLATTENED}
    least = MAX_FLATTENED + 1
    if sum(narrow.values()) > MAX_FLATTENED:
        numeric = {name: width for name, width in narrow.items() if type(_first_in(record[name])) in NUMBERS}
        least = least_wide(list(numeric.values()), MAX_FLATTENED - sum(narrow.values()) + sum(numeric.values()))
        narrow = numeric
    return [name for name, width in widths.items() if width > MAX_FLATTENED or (name in narrow and width >= least)]


def _first_in(value: Any) -> Any:
    while type(value) is list and value:
        value = value[0]
    return value


def nested_shape(value: Any) -> tuple[int, ...]:
    """Give the shape of nested lists as their first items have it; empty for what is no list."""
    shape: list[int] = []
    while type(value) is list and len(shape) <= MAX_RANK:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def table_of_arrays(name: str, items: Sequence[Any]) -> Table:
    """Make a table of nested lists of numbers, one a row.

    Raises
    ------
    NotObserved
        ``too_wide`` where one is missing, or not of numbers.
    DecodeError
        ``shape`` where one is not regular, ``ragged`` where they differ, ``too_many_values``.
    """
    shape = nested_shape(items[0])
    if any(type(item) is not list for item in items):
        raise NotObserved("table", "too_wide")
    if any(nested_shape(item) != shape for item in items):
        raise DecodeError("table", "ragged")
    return table_of(TensorType(name, "", shape), len(items), list(chain.from_iterable(map(flat_values, items))))


def table_of(tensor: TensorType, rows: int, values: Sequence[Any] | NDArray[Any]) -> Table:
    """Make a table of flat values, as many as the rows and the shape say.

    Raises
    ------
    NotObserved
        ``too_wide`` where not all of them are numbers or missing.
    DecodeError
        ``shape`` where they are more or fewer, ``too_many_values`` beyond `MAX_TABLE_VALUES`.
    """
    if len(values) != rows * math.prod(tensor.shape):
        raise DecodeError("table", "shape")
    if len(values) > MAX_TABLE_VALUES:
        raise DecodeError("table", "too_many_values")
    if not isinstance(values, np.ndarray):
        if not NUMBERS.issuperset(map(type, values)):
            raise NotObserved("table", "too_wide")
        try:
            values = np.array(values, dtype=np.float64)  # numpy takes None for NaN
        except OverflowError:
            values = np.array(list(map(as_float, values)))
    elif values.dtype == np.bool_:
        raise NotObserved("table", "too_wide")
    return Table(tensor, values.reshape(rows, -1))
