"""Deterministic streaming quantiles, and their packing into a KLL sketch for the profile file.

The library's KLL flips a coin that nobody can seed (a global generator, seeded from the machine's entropy), so the same
data would give another file each time. Here each level keeps every second of its sorted values and alternates which half
is kept, so that the errors of one compaction and the next cancel: Munro & Paterson (1980), with the pairing of Ivkin et
al., "Streaming quantiles algorithms with small space and update time" (2019). The result depends only on the values and
on how they were cut into updates; sources cut them always alike.

Guarantee: a compaction of level h moves any rank by at most ``2^h``, and level h is compacted at most
``n / (CAPACITY 2^h)`` times: the rank error is below ``log2(n / CAPACITY) / CAPACITY`` (0.9 % at a thousand million
values) even if no error ever cancels. Measured: 0.05 % at a million normal values. Up to `CAPACITY` values the
quantiles are exact.
"""

from __future__ import annotations

import struct

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

CAPACITY = 2048
"""Values kept per level: 16 KiB, and one level for each doubling of the data."""

STORED_K = 200
"""The k that a stored sketch declares; it promises 1.33 % rank error and keeps it with half a percent to spare."""

MIN_STORED = 96
"""Equally heavy points of a stored sketch: from this many to twice as many. With 200 columns, 60 bins and the joint
structure a profile then stays below the 1 MiB of a ConfigMap; half of one point's weight is 0.52 % of the rows."""


class QuantileSketch:
    """Weighted points that stand for all values seen. Memory: `CAPACITY` doubles per doubling of the data."""

    __slots__ = ("_keep_odd", "_levels", "count")

    def __init__(self) -> None:
        self._levels: list[NDArray[np.float64]] = []
        self._keep_odd: list[bool] = []
        self.count = 0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add finite values, shape ``(n,)``, in any order."""
        if len(values):
            self.count += len(values)
            self._add(0, values)
            self._compact()

    def merge(self, other: QuantileSketch) -> None:
        """Add what `other` has seen; the guarantee holds for the sum."""
        self.count += other.count
        for level, values in enumerate(other._levels):
            self._add(level, values)
        self._compact()

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give the distinct retained values ascending, and how many values each stands for; both empty without values."""
        if not self._levels:
            return np.empty(0), np.empty(0, dtype=np.int64)
        values = np.concatenate(self._levels)
        weights = np.concatenate([np.full(len(level), 1 << h, dtype=np.int64) for h, level in enumerate(self._levels)])
        return collapse(values, weights)

    def _add(self, level: int, values: NDArray[np.float64]) -> None:
        while len(self._levels) <= level:
            self._levels.append(np.empty(0))
            self._keep_odd.append(False)
        self._levels[level] = np.concatenate((self._levels[level], values))

    def _compact(self) -> None:
        level = 0
        while level < len(self._levels):
            values = self._levels[level]
            if len(values) > CAPACITY:
                values = np.sort(values)
                even = len(values) & ~1
                self._levels[level] = values[even:]
                self._add(level + 1, values[int(self._keep_odd[level]) : even : 2])
                self._keep_odd[level] = not self._keep_odd[level]
            level += 1


def collapse(values: NDArray[np.float64], weights: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sort values and add up the weights of equal ones."""
    distinct, inverse = np.unique(values, return_inverse=True)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, inverse, weights)
    return distinct, total


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
    starts = np.cumsum([0, *map(len, levels)])
    # The library keeps its levels at the end of an array that is as long as k and the number of levels say.
    offsets = starts[:-1] + _capacity(top + 1) - starts[-1]
    head = struct.pack("<BBBBHBBQHBB", 5, 1, 15, _LEVEL_ZERO_SORTED, STORED_K, 8, 0, total, STORED_K, top + 1, 0)
    extremes = np.array([points[0], points[-1]], dtype="<f8")
    return b"".join((head, offsets.astype("<u4").tobytes(), extremes.tobytes(), np.concatenate(levels).astype("<f8").tobytes()))


_LEVEL_ZERO_SORTED = 2


def _spans(total: int, top: int) -> NDArray[np.int64]:
    """Say how the ranks are cut: the exponents of the spans, from the smallest values to the largest."""
    heavy, remainder = divmod(total - 1, 1 << top)
    # An iterator of the library stops at once where the lowest level is empty, so two spans of one value see to it that it isn't.
    remainder += 1
    ones = 2 - remainder % 2
    light = [0] * ones + [bit for bit in range(1, top) if (remainder - ones) >> bit & 1]
    return np.array(light[::2] + [top] * heavy + light[1::2][::-1], dtype=np.int64)


def _capacity(levels: int) -> int:
    """Say how many items the library makes room for: two thirds of the level above in each level, at least 8."""
    total = 0
    for depth in range(levels):
        doubled = (STORED_K << (depth + 1)) // 3**depth
        total += max(8, (doubled + 1) >> 1)
    return total
