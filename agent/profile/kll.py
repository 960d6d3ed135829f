"""The quantile sketch of a profile file, byte by byte: packed without chance, checked before the library sees it.

The layout is that of `agent.sketch.thinning`.
"""

from __future__ import annotations

import struct

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

from agent.sketch.thinning import FAMILY, HEAD, MINIMUM_WIDTH, REST, capacity, serialised

STORED_K = 200
"""The k that a stored sketch declares; it promises 1.33 % rank error and keeps it with half a percent to spare."""

MIN_STORED = 96
"""Equally heavy points of a stored sketch: from this many to twice as many. With 200 columns, 60 bins and the joint
structure a profile then stays below the 1 MiB of a ConfigMap; half of one point's weight is 0.52 % of the rows."""

_EMPTY, _SINGLE = 1, 4


def kll_bytes(points: NDArray[np.float64], weights: NDArray[np.int64]) -> bytes:
    """Pack weighted points as a ``kll_doubles_sketch`` with k = `STORED_K`.

    Parameters
    ----------
    points
        Ascending, finite, shape ``(n,)``; the first and the last are the minimum and the maximum.
    weights
        Positive, shape ``(n,)``.

    Returns
    -------
    bytes
        At most 1.9 KB for any number of values. The n values are cut, in order, into spans of ``2^h`` values with
        ``MIN_STORED <= n / 2^h < 2 * MIN_STORED``, and the remainder of that division into its powers of two, small ones
        outermost; each span is stood for by its middle value. Layout: DataSketches, ``kll_sketch_impl.hpp``.
    """
    total = int(weights.sum())
    if total < 2 * MIN_STORED:
        exact = kll_doubles_sketch(STORED_K)
        exact.update(np.repeat(points, weights))
        return bytes(exact.serialize())
    top = (total // MIN_STORED).bit_length() - 1
    spans = _spans(total, top)
    ends = np.cumsum(np.left_shift(np.int64(1), spans))
    middles = ends - np.left_shift(np.int64(1), spans) // 2 - 1
    values = points[np.searchsorted(np.cumsum(weights), np.maximum(middles, 0), side="right")]
    levels = [values[spans == level] for level in range(top + 1)]
    return serialised(total, levels, points.item(0), points.item(-1), STORED_K)


def _spans(total: int, top: int) -> NDArray[np.int64]:
    """Say how the ranks are cut: the exponents of the spans, from the smallest values to the largest."""
    heavy, remainder = divmod(total - 1, 1 << top)
    # An iterator of the library stops at once where the lowest level is empty, so two spans of one value see to it that it isn't.
    remainder += 1
    ones = 2 - remainder % 2
    light = [0] * ones + [bit for bit in range(1, top) if (remainder - ones) >> bit & 1]
    return np.array(light[::2] + [top] * heavy + light[1::2][::-1], dtype=np.int64)


def check_kll(data: bytes) -> int:
    """Check a serialised ``kll_doubles_sketch``, because the library reads beyond its memory where the bytes are wrong.

    Returns
    -------
    int
        How many values it stands for.

    Raises
    ------
    ValueError
        If the bytes are no such sketch, with the reason.
    """
    if len(data) < HEAD.size:
        raise ValueError("too short")
    preamble, version, family, flags, k, width, _ = HEAD.unpack_from(data)
    if family != FAMILY or k < MINIMUM_WIDTH or width != MINIMUM_WIDTH:
        raise ValueError("no KLL sketch")
    kind = (preamble, version, flags & (_EMPTY | _SINGLE))
    if kind == (2, 1, _EMPTY):
        return _of_length(data, 8, 0)
    if kind == (2, 2, _SINGLE):
        _check_items(np.frombuffer(data[8:16], dtype="<f8"), -np.inf, np.inf)
        return _of_length(data, 16, 1)
    if kind != (5, 1, 0) or len(data) < HEAD.size + REST.size:
        raise ValueError("no KLL sketch")
    return _check_full(data, k)


def _check_full(data: bytes, k: int) -> int:
    start = HEAD.size + REST.size
    total, smallest, levels, _ = REST.unpack_from(data, HEAD.size)
    if not 1 <= levels <= 60 or not MINIMUM_WIDTH <= smallest <= k or len(data) < start + 4 * levels + 16:
        raise ValueError("its levels are cut off")
    offsets = np.append(np.frombuffer(data, dtype="<u4", count=levels, offset=start).astype(np.int64), capacity(k, levels))
    sizes = np.diff(offsets)
    if (sizes < 0).any() or not sizes[0] or sum(int(size) << level for level, size in enumerate(sizes)) != total:
        raise ValueError("its levels don't add up")
    start += 4 * levels
    _of_length(data, start + 16 + 8 * int(sizes.sum()), total)
    low, high = struct.unpack_from("<dd", data, start)
    _check_items(np.frombuffer(data, dtype="<f8", offset=start + 16), low, high)
    return int(total)


def _check_items(items: NDArray[np.float64], low: float, high: float) -> None:
    if not np.isfinite(items).all() or not ((items >= low) & (items <= high)).all():
        raise ValueError("its items are not within its range")


def _of_length(data: bytes, length: int, count: int) -> int:
    if len(data) != length:
        raise ValueError(f"{len(data)} bytes where {length} belong")
    return count
