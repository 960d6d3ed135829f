"""How arrays become text in a profile: bytes deflated and in base64, floats in base64, integers byte plane by byte plane."""

from __future__ import annotations

import base64
import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError

Floats = NDArray[np.float64]

Kind = Literal["<f2", "<f4", "<f8"]
"""How a float is written: little-endian, with so many bytes."""


def deflate(data: bytes) -> str:
    """Write bytes as text: zlib (RFC 1950) at its highest level, in base64.

    >>> deflate(b"aaaaaaaaaaaaaaaa")
    'eNpLTEQFADOYBhE='
    """
    return base64.b64encode(zlib.compress(data, 9)).decode()


def inflate(text: str, most: int, fault: str) -> bytes:
    """Read what `deflate` wrote.

    Parameters
    ----------
    text
        The text.
    most
        How many bytes it may hold. No more than this and one are ever unpacked.
    fault
        What is to be said where it can't be read; a colon and the reason come after it.

    Raises
    ------
    OutriderError
        If the text is no base64, or what it holds is no zlib stream, is cut off, or is larger.

    Examples
    --------
    >>> inflate(deflate(b"seven"), 5, "not a word of five letters")
    b'seven'
    >>> inflate(deflate(bytes(1 << 20)), 5, "not a word of five letters")
    Traceback (most recent call last):
    agent.errors.OutriderError: not a word of five letters: 6 bytes or more instead of 5 at most
    """
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(base64.b64decode(text, validate=True), most + 1)
    except (ValueError, zlib.error) as error:  # binascii.Error is a ValueError
        raise OutriderError(f"{fault}: {error}") from error
    if len(data) > most:
        raise OutriderError(f"{fault}: {len(data)} bytes or more instead of {most} at most")
    if not stream.eof:
        raise OutriderError(f"{fault}: cut off")
    return data


def to_planes(integers: bytes, width: int) -> bytes:
    """Put the first bytes of all integers first, then their second ones, and so on: most high bytes are 0, and deflate better so.

    Parameters
    ----------
    integers
        Of `width` bytes each; may be empty.
    width
        From 1 up.

    Raises
    ------
    OutriderError
        If they are no whole number of integers.

    Examples
    --------
    >>> to_planes(b"aAbBcC", 2), from_planes(b"abcABC", 2)
    (b'abcABC', b'aAbBcC')
    """
    return _turned(integers, width, (-1, width))


def from_planes(planes: bytes, width: int) -> bytes:
    """Undo `to_planes`; the same errors."""
    return _turned(planes, width, (width, -1))


def _turned(data: bytes, width: int, shape: tuple[int, int]) -> bytes:
    if len(data) % width:
        raise OutriderError(f"{len(data)} bytes are no whole number of integers of {width} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape).T.tobytes()


def pack_floats(values: Floats, kind: Kind) -> str:
    """Write floats, in the order of C, as base64; what is beyond `kind` becomes infinite, with NumPy's warning.

    >>> pack_floats(np.array([1.0, 0.5]), "<f2")
    'ADwAOA=='
    """
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def unpack_floats(text: str, kind: Kind) -> Floats:
    """Read what `pack_floats` wrote, shape ``(n,)``; NaN and infinities are taken as they are.

    Raises
    ------
    OutriderError
        If the text is no base64, or no whole number of floats.

    Examples
    --------
    >>> unpack_floats("ADwAOA==", "<f2")
    array([1. , 0.5])
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind).astype(np.float64)
    except ValueError as error:  # binascii.Error is one too
        raise OutriderError(f"not floats in base64: {error}") from error


def floats_or_none(text: str, kind: Kind, size: int) -> Floats | None:
    """Give `size` floats as `unpack_floats` does; ``None`` if the text is anything else, for whoever tells all faults at once.

    >>> floats_or_none("ADwAOA==", "<f2", 2), floats_or_none("ADwAOA==", "<f2", 3), floats_or_none("?", "<f2", 2)
    (array([1. , 0.5]), None, None)
    """
    try:
        values = unpack_floats(text, kind)
    except OutriderError:
        return None
    return values if values.size == size else None
