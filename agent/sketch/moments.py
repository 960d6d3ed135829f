"""Mean and variance over arrays, in one pass and without cancellation.

A batch's own sums are taken around a centre near its mean, then joined to what was there by the pairwise formula of Chan,
Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979):
``M2 = M2a + M2b + d² · na·nb/n`` with ``d = mean_b - mean_a``. So a mean of 1e9 with a deviation of 1 loses nothing, where
``E[x²] - E[x]²`` would lose every digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.sketch.wire import read

SAFE_MAGNITUDE = 1e140
"""Up to here a square (1e280) and the sum of 1e20 of them stay below the largest float."""

LONGEST_PRODUCT = 8192
"""OpenBLAS computes a dot product of up to 10,000 values in the calling thread."""


@dataclass(frozen=True, slots=True)
class MomentsResult:
    """Count, mean and population variance; NaN where `count` is 0. The variance is ``inf`` where it exceeds a float."""

    count: int
    mean: float
    variance: float


class _Wire(msgspec.Struct, array_like=True, tag="moments/1", frozen=True, gc=False):
    count: int
    mean: float
    m2: float


_DECODER = msgspec.msgpack.Decoder(_Wire)


class Moments:
    """Count, mean and the sum of squared deviations (`m2`) of finite values. Three numbers.

    Examples
    --------
    >>> moments = Moments()
    >>> moments.update(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> moments.result()
    MomentsResult(count=4, mean=2.5, variance=1.25)
    """

    __slots__ = ("count", "m2", "mean")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add finite values in any order, shape ``(n,)``. Cost: five passes; `update_sorted` needs three."""
        if not values.size:
            return
        largest = float(np.abs(values).max())
        if largest < SAFE_MAGNITUDE:
            self._add_around(values, float(np.add.reduce(values)) / values.size)
        else:
            self._add_scaled(values, largest)

    def update_sorted(self, values: NDArray[np.float64]) -> None:
        """Add at least one finite value, ascending, shape ``(n,)``.

        The centre is the median: it lies within one standard deviation of the mean, so the correction loses at most one bit,
        and one pass is saved.
        """
        low, high = values.item(0), values.item(-1)
        if low > -SAFE_MAGNITUDE and high < SAFE_MAGNITUDE:
            self._add_around(values, values.item(values.size >> 1))
        else:
            self._add_scaled(values, max(-low, high))

    def merge(self, other: Moments) -> None:
        """Add what `other` has seen."""
        self._join(other.count, other.mean, other.m2)

    def result(self) -> MomentsResult:
        """Give count, mean and population variance; mean and variance are NaN where there are no values."""
        if not self.count:
            return MomentsResult(0, float("nan"), float("nan"))
        return MomentsResult(self.count, self.mean, self.m2 / self.count)

    def to_bytes(self) -> bytes:
        """Write the state; about 30 bytes."""
        return msgspec.msgpack.encode(_Wire(self.count, self.mean, self.m2))

    @classmethod
    def from_bytes(cls, data: bytes) -> Moments:
        """Read what `to_bytes` wrote; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "moments")
        moments = cls()
        moments.count, moments.mean, moments.m2 = wire.count, wire.mean, wire.m2
        return moments

    def _add_around(self, values: NDArray[np.float64], centre: float) -> None:
        count = values.size
        if count == 1:
            self._join(1, values.item(0), 0.0)
            return
        shifted = values - centre
        total = float(np.add.reduce(shifted))
        # A longer product goes to OpenBLAS's threads, whose waiting costs fifty times the work (47 instead of 1 ns per value).
        squares = float(np.dot(shifted, shifted) if count <= LONGEST_PRODUCT else np.add.reduce(np.square(shifted)))
        # Rounding can bring a constant column's sum of squares a hair below zero.
        self._join(count, centre + total / count, max(squares - total * total / count, 0.0))

    def _add_scaled(self, values: NDArray[np.float64], largest: float) -> None:
        scaled = values / largest
        mean = float(np.add.reduce(scaled)) / values.size
        shifted = scaled - mean
        squares = float(np.add.reduce(np.square(shifted)))
        # In Python's floats what exceeds the range becomes infinity, without a warning.
        self._join(values.size, mean * largest, squares * largest * largest)

    def _join(self, count: int, mean: float, m2: float) -> None:
        if not count:
            return
        if not self.count:
            self.count, self.mean, self.m2 = count, mean, m2
            return
        total = self.count + count
        share = count / total
        delta = mean - self.mean
        if isfinite(delta):
            self.mean += delta * share
            self.m2 += m2 + delta * delta * (self.count * share)
        else:  # the two means are further apart than the largest float
            self.mean = self.mean * (self.count / total) + mean * share
            self.m2 = inf
        self.count = total
