"""Two samples of a numeric column as bars of equal width.

The frozen bins hold a sixtieth of training each and are of any width; drawn as they are, they would show their own edges. So
both samples are drawn over the same bars. The mass of each frozen bin is exact. Where within a bin it lies, the points of the
quantile sketch say if the bin is wide or the sketch holds every value; else it is taken as evenly spread, which is smoother than
the few points in so narrow a bin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agent.compare.comparison import Bars
from agent.sketch.summary import NumericSummary

MOST = 48
"""Bars at most."""

TAIL = 0.002
"""The share of either sample at either end that may be left to the outermost bars: an outlier must not squeeze all others."""

_WIDE = 2.0
"""Bins of more bars than this are wide."""

Floats = NDArray[np.float64]


def bars_of(current: NumericSummary, reference: NumericSummary, *, whole: bool) -> Bars | None:
    """Draw two samples.

    Parameters
    ----------
    current, reference
        With the same frozen bins.
    whole
        Whether the values are whole numbers, which get bars around them.

    Returns
    -------
    Bars or None
        ``None`` where neither sample has finite values.
    """
    ends = [_ends(sample) for sample in (current, reference) if sample.points.size]
    if not ends:
        return None
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    edges = _edges(low, high, whole=whole)
    return Bars(edges.tolist(), *(_shares(sample, edges, whole=whole).tolist() for sample in (current, reference)))


def _ends(sample: NumericSummary) -> tuple[float, float]:
    total = float(sample.weights.sum())
    # one value may stand for several, and then for more than a tail
    tail = max(TAIL, 2.0 * float(sample.weights.max()) / total)
    ranks = np.cumsum(sample.weights) / total
    last = sample.points.size - 1
    low = sample.points[min(last, int(np.searchsorted(ranks, tail)))]
    high = sample.points[min(last, int(np.searchsorted(ranks, 1.0 - tail)))]
    reach = high / 4 - low / 4
    with np.errstate(over="ignore"):  # the extremes themselves, where they are near
        lowest = sample.minimum if low - sample.minimum <= reach else low
        highest = sample.maximum if sample.maximum - high <= reach else high
    return float(min(lowest, highest)), float(max(lowest, highest))


def _edges(low: float, high: float, *, whole: bool) -> Floats:
    if whole and high - low < 2.0**52:
        step = max(1, math.ceil((high - low + 1) / MOST))
        count = math.ceil((math.floor(high) - math.floor(low) + 1) / step)
        return np.asarray(math.floor(low) - 0.5 + step * np.arange(count + 1), dtype=np.float64)
    if not high > low:
        margin = abs(low) / 100 or 1.0
        low, high = low - margin, high + margin
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, MOST + 1)
    if not np.isfinite(edges).all():  # their difference is no double
        edges = 2.0 * np.linspace(low / 2, high / 2, MOST + 1)
    return edges if (np.diff(edges) > 0).all() else np.array([low, high])


def _shares(sample: NumericSummary, edges: Floats, *, whole: bool) -> Floats:
    """Give the share of the values in each bar; what is beyond the outer edges is in the outermost ones."""
    counts = sample.bin_counts.astype(np.float64)
    total = counts.sum()
    if not total or not sample.points.size:
        return np.zeros(edges.size - 1)
    places = edges[1:-1]
    bins = sample.edges.searchsorted(places, "right")
    before = np.concatenate(([0.0], np.cumsum(sample.weights)))
    starts = np.concatenate(([0], sample.points.searchsorted(sample.edges, "left"), [sample.points.size]))
    begun, ended = before[starts[bins]], before[starts[bins + 1]]
    within = before[sample.points.searchsorted(places, "left")] - begun
    held = ended - begun
    bounds = np.concatenate(([-np.inf], sample.edges, [np.inf]))
    with np.errstate(over="ignore"):
        wide = bounds[bins + 1] - bounds[bins] > _WIDE * (edges[1] - edges[0])
    told = (held > 0) & (wide | bool(sample.weights.max() <= 1))
    part = np.divide(within, held, out=_evenly(sample, bins, places, whole=whole), where=told)
    below = np.concatenate(([0.0], np.cumsum(counts)))[bins] + counts[bins] * part
    shares: Floats = np.diff(below, prepend=0.0, append=total).clip(min=0.0) / total
    return shares


def _evenly(sample: NumericSummary, bins: NDArray[np.intp], places: Floats, *, whole: bool) -> Floats:
    """Give the part of a bin below a place where its values are evenly spread."""
    bounds = np.concatenate(([sample.minimum], sample.edges, [sample.maximum + 1 if whole else sample.maximum]))
    if whole:
        bounds = np.ceil(bounds) - 0.5
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        part = (places - bounds[bins]) / (bounds[bins + 1] - bounds[bins])
    evenly: Floats = np.nan_to_num(part, nan=0.5, posinf=1.0, neginf=0.0).clip(0.0, 1.0)
    return evenly
