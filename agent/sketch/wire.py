"""How an accumulator becomes bytes and comes back: MessagePack arrays with a tag, counts at the smallest width that holds them.

The tag names the kind and the version of the layout (``moments/1``); a change of layout gets a new number. What is fixed by
the schema (edges, categories) is not repeated in the bytes: whoever reads them brings it along.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError

T = TypeVar("T")


def read(decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str) -> T:
    """Decode bytes that an accumulator wrote.

    Parameters
    ----------
    decoder
        For the accumulator's layout.
    data
        What `to_bytes` gave.
    what
        The accumulator's name, for the error.

    Raises
    ------
    OutriderError
        If the bytes are no such accumulator: damaged, cut off, or of another version.
    """
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise OutriderError(f"these bytes are not a saved {what}: {error}") from error


def pack_counts(counts: NDArray[np.int64]) -> bytes:
    """Write counts that are not negative, shape ``(n,)``, as one byte with the width and ``n`` little-endian integers."""
    largest = int(counts.max()) if counts.size else 0
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4 if largest < 1 << 32 else 8
    return bytes((width,)) + counts.astype(f"<u{width}").tobytes()


def unpack_counts(data: bytes, size: int, what: str) -> NDArray[np.int64]:
    """Read what `pack_counts` wrote.

    Parameters
    ----------
    data
        The bytes.
    size
        How many counts there must be.
    what
        The accumulator's name, for the error.

    Raises
    ------
    OutriderError
        If the bytes do not hold exactly `size` counts.
    """
    width = data[0] if data else 0
    if width not in (1, 2, 4, 8) or len(data) != 1 + size * width:
        raise OutriderError(f"these bytes are not a saved {what}: expected {size} counts")
    return np.frombuffer(data, dtype=f"<u{width}", offset=1).astype(np.int64)
