from __future__ import annotations

import numpy as np

from agent.sketch.latency import BOUNDS_S, LatencyHistogram


def test_a_latency_on_a_bound_falls_below_it() -> None:
    histogram = LatencyHistogram()
    histogram.update(np.array([100_000, 100_001, 10**11], dtype=np.int64))
    assert histogram.counts[[0, 1, -1]].tolist() == [1, 1, 1]
    assert histogram.sum_ns == 200_001 + 10**11


def test_no_durations_change_nothing() -> None:
    histogram = LatencyHistogram()
    histogram.update(np.empty(0, dtype=np.int64))
    assert (histogram.count, histogram.sum_ns, len(histogram.counts)) == (0, 0, len(BOUNDS_S) + 1)


def test_a_result_does_not_change_later() -> None:
    histogram = LatencyHistogram()
    counts, _ = histogram.result()
    histogram.update(np.array([5], dtype=np.int64))
    assert counts.sum() == 0
