"""How sums become bytes and come back: a tag, the number of rows, and arrays of fixed widths, little-endian.

The tag names the kind and the version of the layout; a change of layout gets a new one. Sizes follow from the schema and are
not repeated in the bytes: whoever reads them brings them along.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    what = tag.decode("ascii").strip()
    length = len(tag) + _ROWS.itemsize + sum(np.dtype(kind).itemsize * size for kind, size in layout)
    if len(data) != length or not data.startswith(tag):
        raise OutriderError(f"these bytes are not a saved {what}: {len(data)} bytes instead of {length}, or another tag")
    place = len(tag) + _ROWS.itemsize
    rows = int(np.frombuffer(data, dtype=_ROWS, count=1, offset=len(tag))[0])
    parts = []
    for kind, size in layout:
        part = np.frombuffer(data, dtype=kind, count=size, offset=place).astype(np.float64)
        if not np.isfinite(part).all():
            raise OutriderError(f"these bytes are not a saved {what}: they hold numbers that are not finite")
        parts.append(part)
        place += np.dtype(kind).itemsize * size
    return rows, parts
