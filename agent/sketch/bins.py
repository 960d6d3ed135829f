"""Exact counts and sums in bins that were frozen in training.

Counts have no sketch error and add up over panes and replicas; with the sums they give the distance that values travelled, also
within a bin and beyond the outermost edges. The array is sorted once and the edges are looked up in it: 60 look-ups instead of
one per value (1.8 ns instead of 35 ns per value at 1,000 values, ``tests/bench/monitor.py``).

Sums are taken around `origin_of` the edges, so that a column far from zero loses no digits.
"""

from __future__ import annotations

from math import nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.sketch.wire import pack_counts, pack_sums, read, unpack_counts, unpack_sums

SAFE_MAGNITUDE = 1e140
"""Up to here 1e160 values can be added up without leaving a float's range."""

FEW = 256
"""Up to so many values each is looked up in the edges (10 ns): numpy's sums of slices cost 5 µs however short they are."""


class _Counts(msgspec.Struct, array_like=True, tag="bins/1", frozen=True, gc=False):
    """What Outrider wrote before there were sums."""

    count: int
    below: bytes


class _Wire(msgspec.Struct, array_like=True, tag="bins/2", frozen=True, gc=False):
    count: int
    below: bytes
    sums: bytes


_DECODER: msgspec.msgpack.Decoder[_Wire | _Counts] = msgspec.msgpack.Decoder(_Wire | _Counts)


def origin_of(edges: NDArray[np.float64]) -> float:
    """Give what the sums of bins are taken around: the middle edge, 0.0 without edges.

    >>> origin_of(np.array([1.0, 2.0, 4.0])), origin_of(np.empty(0))
    (2.0, 0.0)
    """
    return edges.item(edges.size >> 1) if edges.size else 0.0


class BinCounts:
    """Counts per bin, kept as how many values lie below each edge, and the sum of ``x - origin`` per bin.

    Parameters
    ----------
    edges
        Interior edges, ascending, shape ``(bins - 1,)``; may be empty. Bin ``i`` is ``[edges[i-1], edges[i])``.

    Attributes
    ----------
    sums
        Of ``x - origin`` over the finite values of each bin, float64, shape ``(bins,)``; infinities are in the counts alone.
        Not finite where a sum exceeds a float, NaN where it is not known: in states that Outrider saved before it had sums.

    Examples
    --------
    >>> bins = BinCounts(np.array([0.0, 10.0]))
    >>> bins.update(np.array([-1.0, 0.0, 5.0, 10.0, np.inf]))
    >>> bins.result().tolist(), bins.origin, bins.sums.tolist()
    ([1, 2, 2], 10.0, [-11.0, -15.0, 0.0])
    """

    __slots__ = ("_reach", "below", "count", "edges", "origin", "sums")

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        self.below: NDArray[np.int64] = np.zeros(edges.size, dtype=np.int64)
        self.sums: NDArray[np.float64] = np.zeros(edges.size + 1)
        self.count = 0
        self.origin = origin_of(edges)
        self._reach = SAFE_MAGNITUDE if abs(self.origin) < SAFE_MAGNITUDE else 0.0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add values in any order, shape ``(n,)``; infinities are welcome, NaN is not."""
        self.update_sorted(np.sort(values))

    def update_sorted(self, values: NDArray[np.float64]) -> None:
        """Add ascending values without NaN, shape ``(n,)``. Cost: 2 µs for one value, 8 for 1,000 (1 and 6 are sums)."""
        size = values.size
        if not size:
            return
        self.count += size
        low, high = values.item(0), values.item(-1)
        if not (low > -self._reach and high < self._reach):
            self._add_large(values)
        elif size == 1:
            place = self.edges.searchsorted(low, "right")
            self.below[place:] += 1
            self.sums[place] += low - self.origin
        elif size <= FEW:
            self.below += values.searchsorted(self.edges)
            np.add.at(self.sums, self.edges.searchsorted(values, "right"), values - self.origin)
        else:
            starts = np.zeros(self.sums.size, dtype=np.int64)
            starts[1:] = values.searchsorted(self.edges)
            self.below += starts[1:]
            self.sums += _slice_sums(values - self.origin, starts)

    def update_runs(self, runs: NDArray[np.float64]) -> None:
        """Add rows that are each ascending and finite, shape ``(runs, n)``, contiguous. Cost: 8 to 12 ns per value."""
        if not runs.size:
            return
        self.count += runs.size
        if float(runs[:, 0].min()) > -self._reach and float(runs[:, -1].max()) < self._reach:
            self._add(runs.reshape(-1))
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                self._add(runs.reshape(-1))

    def _add(self, values: NDArray[np.float64]) -> None:
        """Add finite values in any order. Each is looked up: that takes half as long where it goes through the edges in runs."""
        places = self.edges.searchsorted(values, "right")
        self.below += np.bincount(places, minlength=self.sums.size)[:-1].cumsum()
        self.sums += np.bincount(places, values - self.origin, self.sums.size)

    def _add_large(self, values: NDArray[np.float64]) -> None:
        """Add ascending values, of which some are infinite or so large that their sum may be."""
        self.below += values.searchsorted(self.edges)
        finite = values[np.isfinite(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            np.add.at(self.sums, self.edges.searchsorted(finite, "right"), finite - self.origin)

    def merge(self, other: BinCounts) -> None:
        """Add what `other` has seen; `OutriderError` if its edges differ."""
        if other.edges is not self.edges and not np.array_equal(other.edges, self.edges):
            raise OutriderError("counts of different bins can't be added up")
        self.below += other.below
        self.count += other.count
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += other.sums

    def result(self) -> NDArray[np.int64]:
        """Give the counts per bin, int64, shape ``(bins,)``; all zero where there are no values."""
        counts = np.empty(self.edges.size + 1, dtype=np.int64)
        counts[:-1] = self.below
        counts[-1] = self.count
        counts[1:] -= self.below
        return counts

    def to_bytes(self) -> bytes:
        """Write the state; the edges are not in it.

        At most 8 bytes per edge for the counts, 2 while there are fewer than 65,536 values; and 4 per bin for the sums, which
        are rounded to 24 bits.
        """
        return msgspec.msgpack.encode(_Wire(self.count, pack_counts(self.below), pack_sums(self.sums)))

    @classmethod
    def from_bytes(cls, data: bytes, edges: NDArray[np.float64]) -> BinCounts:
        """Read what `to_bytes` wrote for these edges; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "bin counts")
        bins = cls(edges)
        bins.count = wire.count
        bins.below = unpack_counts(wire.below, edges.size, "bin counts")
        if isinstance(wire, _Wire):
            bins.sums = unpack_sums(wire.sums, edges.size + 1, "bin counts")
        elif wire.count:
            bins.sums += nan
        return bins


def _slice_sums(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the sum of each slice of `values`, from its start to the next one's; zero for an empty slice."""
    full = np.empty(starts.size, dtype=np.bool_)
    np.not_equal(starts[1:], starts[:-1], out=full[:-1])
    full[-1] = starts[-1] != values.size
    # Of an empty slice `reduceat` would make the value that follows.
    places = full.nonzero()[0]
    sums = np.zeros(starts.size)
    sums[places] = np.add.reduceat(values, starts[places])
    return sums
