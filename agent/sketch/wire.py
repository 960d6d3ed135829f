"""How an accumulator becomes bytes and comes back: MessagePack arrays with a tag, counts at the smallest width that holds them.

The tag names the kind and the version of the layout (``moments/1``); a change of layout gets a new number. What is fixed by
the schema (edges, categories) is not repeated in the bytes: whoever reads them brings it along.
"""

from __future__ import annotations

import struct
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


def pack_sums(sums: NDArray[np.float64]) -> bytes:
    """Write sums, shape ``(n,)``, as one byte with the width, the largest magnitude, and their shares of it.

    Width 4: the largest magnitude as a double and the shares as floats of 24 bits, little-endian. Width 8: doubles alone, for
    sums of which some are not finite. Width 0: nothing more, all are zero.
    """
    if not np.isfinite(sums).all():
        return b"\x08" + sums.astype("<f8").tobytes()
    largest = float(np.abs(sums).max(initial=0.0))
    if largest == 0.0:
        return b"\x00"
    return b"\x04" + struct.pack("<d", largest) + (sums / largest).astype("<f4").tobytes()


def unpack_sums(data: bytes, size: int, what: str) -> NDArray[np.float64]:
    """Read what `pack_sums` wrote.

    Parameters
    ----------
    data
        The bytes.
    size
        How many sums there must be.
    what
        The accumulator's name, for the error.

    Raises
    ------
    OutriderError
        If the bytes do not hold exactly `size` sums.
    """
    if data == b"\x00":
        return np.zeros(size)
    if data[:1] == b"\x08" and len(data) == 1 + 8 * size:
        return np.frombuffer(data, dtype="<f8", offset=1).astype(np.float64)
    if data[:1] == b"\x04" and len(data) == 9 + 4 * size:
        shares = np.frombuffer(data, dtype="<f4", offset=9).astype(np.float64)
        largest: float = struct.unpack_from("<d", data, 1)[0]
        return shares * largest
    raise OutriderError(f"these bytes are not a saved {what}: expected {size} sums")
