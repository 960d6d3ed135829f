"""How sums become bytes and come back: a tag, the number of rows, and arrays of fixed widths, little-endian.

The tag names the kind and the version of the layout; a change of layout gets a new one. Sizes follow from the schema and are
not repeated in the bytes: whoever reads them brings them along.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError

_ROWS = np.dtype("<u8")


def pack(tag: bytes, rows: int, parts: Sequence[NDArray[np.generic]]) -> bytes:
    """Write a tag, the rows, and the bytes of each array; the arrays are little-endian already."""
    return tag + np.array(rows, dtype=_ROWS).tobytes() + b"".join(part.tobytes() for part in parts)


def unpack(data: bytes, tag: bytes, layout: Sequence[tuple[str, int]]) -> tuple[int, list[NDArray[np.float64]]]:
    """Read what `pack` wrote.

    Parameters
    ----------
    data
        The bytes.
    tag
        That they must begin with.
    layout
        The type and the size of each array.

    Returns
    -------
    tuple
        The rows, and each array as float64, flat.

    Raises
    ------
    OutriderError
        If the bytes are something else: damaged, cut off, of another version or of other columns, or not finite.
    """
    start = len(tag) + _ROWS.itemsize
    places, length = _places(tuple(layout))
    if len(data) != start + length or not data.startswith(tag):
        what = f"a saved {tag.decode('ascii').strip()}"
        raise OutriderError(f"these bytes are not {what}: {len(data)} bytes instead of {start + length}, or another tag")
    rows = int.from_bytes(data[len(tag) : start], "little")
    parts = [np.frombuffer(data, kind, size, start + place).astype(np.float64) for kind, size, place in places]
    if not all(isfinite(part @ part) for part in parts):  # a third of the time of a look at each number
        what = f"a saved {tag.decode('ascii').strip()}"
        raise OutriderError(f"these bytes are not {what}: they hold numbers that are not finite")
    return rows, parts


@lru_cache(maxsize=64)
def _places(layout: tuple[tuple[str, int], ...]) -> tuple[list[tuple[np.dtype[np.generic], int, int]], int]:
    """Give the type, the size and the place of each array, and where the last one ends."""
    places, end = [], 0
    for kind, size in layout:
        places.append((np.dtype(kind), size, end))
        end += np.dtype(kind).itemsize * size
    return places, end
