"""A latency histogram with fixed bounds, fed by arrays.

Bounds are OpenTelemetry's advice for ``http.server.request.duration``, extended below 5 ms because model servers answer
within tens of microseconds: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.sketch.wire import pack_counts, read, unpack_counts

BOUNDS_S: tuple[float, ...] = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets in seconds; one more bucket takes what is above."""

_BOUNDS_NS = np.array([round(bound * 1e9) for bound in BOUNDS_S], dtype=np.int64)


class _Wire(msgspec.Struct, array_like=True, tag="latency/1", frozen=True, gc=False):
    sum_ns: int
    counts: bytes


_DECODER = msgspec.msgpack.Decoder(_Wire)


class LatencyHistogram:
    """Counts per bucket, and their sum. Adds up exactly; 20 counters and a sum.

    Attributes
    ----------
    counts
        int64, shape ``(len(BOUNDS_S) + 1,)``.
    sum_ns
        The sum of all values in nanoseconds.
    """

    __slots__ = ("counts", "sum_ns")

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(len(BOUNDS_S) + 1, dtype=np.int64)
        self.sum_ns = 0

    def update(self, durations_ns: NDArray[np.int64]) -> None:
        """Add durations in nanoseconds, shape ``(n,)``, not negative. A value on a bound falls below it, as in Prometheus."""
        places = np.searchsorted(_BOUNDS_NS, durations_ns, side="left")
        self.counts += np.bincount(places, minlength=len(self.counts))
        self.sum_ns += int(durations_ns.sum())

    def merge(self, other: LatencyHistogram) -> None:
        """Add what `other` has seen."""
        self.counts += other.counts
        self.sum_ns += other.sum_ns

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def result(self) -> tuple[NDArray[np.int64], int]:
        """Give a copy of the counts per bucket, and the sum in nanoseconds; all zero where there are no values."""
        return self.counts.copy(), self.sum_ns

    def to_bytes(self) -> bytes:
        """Write the state: at most 180 bytes."""
        return msgspec.msgpack.encode(_Wire(self.sum_ns, pack_counts(self.counts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> LatencyHistogram:
        """Read what `to_bytes` wrote; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "latency histogram")
        histogram = cls()
        histogram.sum_ns = wire.sum_ns
        histogram.counts = unpack_counts(wire.counts, len(BOUNDS_S) + 1, "latency histogram")
        return histogram
