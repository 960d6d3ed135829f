"""A numeric column: counts, moments, frozen bins and quantiles from one sort of the values.

Everything follows from the sorted array: missing values stand at its end, infinities and the extremes at its ends, bins come
from looking up the edges in it, and the quantile sketch takes a sorted array at a third of the price.
"""

from __future__ import annotations

from math import inf, nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.sketch.bins import BinCounts
from agent.sketch.moments import Moments
from agent.sketch.quantiles import Quantiles
from agent.sketch.summary import NumericSummary
from agent.sketch.wire import read

RUN = 256
"""Long arrays are sorted in runs no longer than this: numpy's vectorised sort takes 3 ns per value for 256 and 20 for 4,096."""

LONG = 1536
"""From here on runs are cheaper than one sort: 35 ns per value all in, instead of 40, at 2,000."""


class _Wire(msgspec.Struct, array_like=True, tag="numeric/1", frozen=True, gc=False):
    missing: int
    infinite: int
    minimum: float
    maximum: float
    moments: msgspec.Raw
    bins: msgspec.Raw
    quantiles: msgspec.Raw


_DECODER = msgspec.msgpack.Decoder(_Wire)


class NumericSketch:
    """What a numeric column's rows come to. 8.5 KB when full, 0.8 KB as bytes once `compact`, 1.0 KB at most.

    Parameters
    ----------
    edges
        The frozen bins' interior edges, ascending, shape ``(bins - 1,)``.
    coarse
        Where each coarse bin starts, as indices of bins.

    Examples
    --------
    >>> sketch = NumericSketch(np.array([0.0]), np.array([0, 1]))
    >>> sketch.update(np.array([-1.0, 1.0, 3.0, np.nan, np.inf]))
    >>> summary = sketch.result()
    >>> summary.rows, summary.missing, summary.infinite, summary.mean, summary.bin_counts.tolist(), summary.bin_sums.tolist()
    (5, 1, 1, 1.0, [1, 3], [-1.0, 4.0])
    """

    __slots__ = ("bins", "coarse", "infinite", "maximum", "minimum", "missing", "moments", "quantiles")

    def __init__(self, edges: NDArray[np.float64], coarse: NDArray[np.int64]) -> None:
        self.coarse = coarse
        self.missing = 0
        self.infinite = 0
        self.minimum = inf
        self.maximum = -inf
        self.moments = Moments()
        self.bins = BinCounts(edges)
        self.quantiles = Quantiles()

    def update(self, values: NDArray[np.float64]) -> None:
        """Add values, float64, shape ``(n,)``; NaN is a missing value, infinities are counted apart from the moments."""
        if values.size >= LONG:
            self._update_long(values)
            return
        if not values.size:
            return
        ordered = values.copy()
        ordered.sort()
        low, high = ordered.item(0), ordered.item(-1)
        if low > -inf and high < inf:
            self.bins.update_sorted(ordered)
            self._update_finite(ordered, low, high)
        else:  # NaN sorts to the end, and no comparison with it is true
            ordered = self._set_apart(ordered)
            if ordered.size:
                self.bins.update_sorted(ordered)
                self._update_finite(ordered, ordered.item(0), ordered.item(-1))

    def _update_long(self, values: NDArray[np.float64]) -> None:
        count = -(-values.size // RUN)
        rest = values.size % count  # fewer than there are runs
        runs = np.sort(values[rest:].reshape(count, -1), axis=1)
        low, high = float(runs[:, 0].min()), float(runs[:, -1].max())
        if not (low > -inf and high < inf):
            finite = np.isfinite(values)
            self._set_apart(np.sort(values[~finite]))
            self.update(values[finite])
            return
        self.update(values[:rest])
        self.bins.update_runs(runs)
        self.minimum = min(low, self.minimum)
        self.maximum = max(high, self.maximum)
        flat = runs.reshape(-1)
        self.moments.update(flat)
        self.quantiles.update(flat)

    def _set_apart(self, ordered: NDArray[np.float64]) -> NDArray[np.float64]:
        """Count what is missing or infinite in an ascending array, and give the rest of it."""
        start = int(ordered.searchsorted(-inf, "right"))
        stop, present = ordered.searchsorted((inf, nan)).tolist()
        self.missing += ordered.size - present
        self.infinite += start + present - stop
        self.bins.update_sorted(ordered[:start])
        self.bins.update_sorted(ordered[stop:present])
        return ordered[start:stop]

    def _update_finite(self, ordered: NDArray[np.float64], low: float, high: float) -> None:
        self.minimum = min(low, self.minimum)
        self.maximum = max(high, self.maximum)
        self.moments.update_sorted(ordered)
        self.quantiles.update(ordered)

    def merge(self, other: NumericSketch) -> None:
        """Add what `other` has seen; `OutriderError` if its bins differ."""
        self.bins.merge(other.bins)
        self.missing += other.missing
        self.infinite += other.infinite
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.moments.merge(other.moments)
        self.quantiles.merge(other.quantiles)

    def result(self) -> NumericSummary:
        """Summarise. Cost: 80 to 180 µs, nearly all of it the quantile sketch's sorted view."""
        moments = self.moments.result()
        count = moments.count
        points, weights = self.quantiles.result()
        return NumericSummary(
            rows=self.missing + self.bins.count,
            missing=self.missing,
            infinite=self.infinite,
            count=count,
            mean=moments.mean,
            variance=moments.variance,
            minimum=self.minimum if count else nan,
            maximum=self.maximum if count else nan,
            edges=self.bins.edges,
            bin_counts=self.bins.result(),
            coarse=self.coarse,
            points=points,
            weights=weights,
            bin_sums=self.bins.sums.copy(),
        )

    def bin_sums(self) -> NDArray[np.float64]:
        """Give the sum of ``x - origin`` over the finite values of each bin, float64, shape ``(bins,)``; see `BinCounts.sums`."""
        return self.bins.sums.copy()

    def compact(self) -> None:
        """Make it small, for good: fewer values stand for all. For panes that take no more rows."""
        self.quantiles = self.quantiles.thinned()

    def to_bytes(self) -> bytes:
        """Write the state; bins and coarse bins are not in it."""
        return msgspec.msgpack.encode(
            _Wire(
                self.missing,
                self.infinite,
                self.minimum,
                self.maximum,
                msgspec.Raw(self.moments.to_bytes()),
                msgspec.Raw(self.bins.to_bytes()),
                msgspec.Raw(self.quantiles.to_bytes()),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, edges: NDArray[np.float64], coarse: NDArray[np.int64]) -> NumericSketch:
        """Read what `to_bytes` wrote for these bins; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "numeric column")
        sketch = cls.__new__(cls)
        sketch.coarse = coarse
        sketch.missing, sketch.infinite = wire.missing, wire.infinite
        sketch.minimum, sketch.maximum = wire.minimum, wire.maximum
        sketch.moments = Moments.from_bytes(bytes(wire.moments))
        sketch.bins = BinCounts.from_bytes(bytes(wire.bins), edges)
        sketch.quantiles = Quantiles.from_bytes(bytes(wire.quantiles))
        return sketch
