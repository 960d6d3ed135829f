"""A quantile sketch made small: fewer values, each standing for more.

The library's own way to a smaller sketch keeps eight values on every level, however little they stand for. Here the n values are
cut, in order, into spans of ``2^h`` values with ``LEAST <= n / 2^h < 2 * LEAST``, and the remainder of that division into its
powers of two, anywhere between them; each span is stood for by one of its values, drawn evenly. So every rank is right on
average, and the errors of sketches of the same traffic cancel when they are added up (systematic sampling: Madow, "On the Theory
of Systematic Sampling, II", 1949).

The layout is that of DataSketches' ``kll_sketch_impl.hpp``: eight bytes of header, n, the smallest k, the number of levels,
each level's offset, minimum, maximum, and the items, level 0 first. An item of level h stands for ``2^h`` values.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST = 16
"""From this many to twice as many values stand for nearly all of them."""

HEAD = struct.Struct("<BBBBHBB")
REST = struct.Struct("<QHBB")
FAMILY = 15
MINIMUM_WIDTH = 8

_LEVEL_ZERO_SORTED = 2


def thinned(
    points: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float, k: int, rng: np.random.Generator
) -> bytes:
    """Thin weighted points out.

    Parameters
    ----------
    points, weights
        Ascending, and how many values each stands for, shape ``(n,)`` each; at least ``2 * LEAST`` values together.
    low, high
        The extremes of all values.
    k
        What the sketch is to declare.
    rng
        Draws the values that are kept.

    Returns
    -------
    bytes
        A serialised ``kll_doubles_sketch`` of 0.3 KB on average, and of at most 0.6 KB up to 4,000 million values.
    """
    total = int(weights.sum())
    top = (total // LEAST).bit_length() - 1
    heavy, rest = divmod(total - 1, 1 << top)
    # An iterator of the library stops at once where the lowest level is empty, so one or two spans of one value fill it.
    ones = 2 - (rest + 1) % 2
    light = [0] * ones + [bit for bit in range(1, top) if (rest + 1 - ones) >> bit & 1]
    spans = rng.permutation(np.array(light + [top] * heavy, dtype=np.int64))
    sizes = np.left_shift(np.int64(1), spans)
    ranks = np.cumsum(sizes) - sizes + rng.integers(0, sizes)
    values = points[np.cumsum(weights).searchsorted(ranks, side="right").clip(max=points.size - 1)]
    return serialised(total, [values[spans == level] for level in range(top + 1)], low, high, k)


def serialised(total: int, levels: Sequence[NDArray[np.float64]], low: float, high: float, k: int) -> bytes:
    """Write a sketch of more than one value; each level ascending, all of them less than `capacity`."""
    starts = np.cumsum([0, *map(len, levels)])
    # The library keeps its levels at the end of an array that is as long as k and the number of levels say.
    offsets = starts[:-1] + capacity(k, len(levels)) - starts[-1]
    head = HEAD.pack(5, 1, FAMILY, _LEVEL_ZERO_SORTED, k, MINIMUM_WIDTH, 0) + REST.pack(total, k, len(levels), 0)
    items = np.concatenate(([low, high], *levels)).astype("<f8")
    return b"".join((head, offsets.astype("<u4").tobytes(), items.tobytes()))


def capacity(k: int, levels: int) -> int:
    """Say how many items the library makes room for: two thirds of the level above in each level, at least 8."""
    total = 0
    for depth in range(levels):
        doubled = (k << (depth + 1)) // 3**depth
        total += max(MINIMUM_WIDTH, (doubled + 1) >> 1)
    return total
