"""Exact counts in bins that were frozen in training.

Counts have no sketch error and add up over panes and replicas. The array is sorted once and the edges are looked up in it:
60 look-ups instead of one per value (1.8 ns instead of 35 ns per value at 1,000 values, ``tests/bench/monitor.py``).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.sketch.wire import pack_counts, read, unpack_counts


class _Wire(msgspec.Struct, array_like=True, tag="bins/1", frozen=True, gc=False):
    count: int
    below: bytes


_DECODER = msgspec.msgpack.Decoder(_Wire)


class BinCounts:
    """Counts per bin, kept as how many values lie below each edge.

    Parameters
    ----------
    edges
        Interior edges, ascending, shape ``(bins - 1,)``; may be empty. Bin ``i`` is ``[edges[i-1], edges[i])``.

    Examples
    --------
    >>> bins = BinCounts(np.array([0.0, 10.0]))
    >>> bins.update(np.array([-1.0, 0.0, 5.0, 10.0, np.inf]))
    >>> bins.result().tolist()
    [1, 2, 2]
    """

    __slots__ = ("below", "count", "edges")

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        self.below: NDArray[np.int64] = np.zeros(edges.size, dtype=np.int64)
        self.count = 0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add values in any order, shape ``(n,)``; infinities are welcome, NaN is not."""
        self.update_sorted(np.sort(values))

    def update_sorted(self, values: NDArray[np.float64]) -> None:
        """Add ascending values without NaN, shape ``(n,)``."""
        self.below += values.searchsorted(self.edges)
        self.count += values.size

    def update_runs(self, runs: NDArray[np.float64]) -> None:
        """Add rows that are each ascending, without NaN, shape ``(runs, n)``."""
        edges, below = self.edges, self.below
        for run in runs:
            below += run.searchsorted(edges)
        self.count += runs.size

    def merge(self, other: BinCounts) -> None:
        """Add what `other` has seen; `OutriderError` if its edges differ."""
        if other.edges is not self.edges and not np.array_equal(other.edges, self.edges):
            raise OutriderError("counts of different bins can't be added up")
        self.below += other.below
        self.count += other.count

    def result(self) -> NDArray[np.int64]:
        """Give the counts per bin, int64, shape ``(bins,)``; all zero where there are no values."""
        counts = np.empty(self.edges.size + 1, dtype=np.int64)
        counts[:-1] = self.below
        counts[-1] = self.count
        counts[1:] -= self.below
        return counts

    def to_bytes(self) -> bytes:
        """Write the state: at most 8 bytes per edge, 2 while there are fewer than 65,536 values. The edges are not in it."""
        return msgspec.msgpack.encode(_Wire(self.count, pack_counts(self.below)))

    @classmethod
    def from_bytes(cls, data: bytes, edges: NDArray[np.float64]) -> BinCounts:
        """Read what `to_bytes` wrote for these edges; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "bin counts")
        bins = cls(edges)
        bins.count = wire.count
        bins.below = unpack_counts(wire.below, edges.size, "bin counts")
        return bins
