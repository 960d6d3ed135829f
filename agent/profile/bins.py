"""Frozen bins: where a numeric column is cut, for good.

Counts in frozen bins have no sketch error and add up over replicas. Ten coarse bins of about equal mass (deciles) carry
the scores; each is cut into up to six fine ones, for sharper distances. The cuts between coarse bins are chosen first, so
that a coarse bin is a whole number of fine bins.

- A value in more than 1/60 of the rows is wider than a fine bin: a quantile cut would fall on it again and again. It gets
  a bin of its own, ``[v, next double above v)``, or ``[v, v + 1)`` in a column of whole numbers.
- A column with few values gets one bin a value.
- A constant column gets three coarse bins: below, equal, above.
- The outer bins are open-ended: values outside of the training range fall there. A changed unit therefore fills one bin.
- A cut between two ordinary values is the roundest number between them: short in the file, pleasant to read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_BINS = 60
COARSE_BINS = 10
FINE_PER_COARSE = MAX_BINS // COARSE_BINS

MIN_COARSE_SHARE = 0.03
"""A coarse bin lighter than this (beside a heavy value) is joined with its neighbour: its share would be mostly noise."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Interior edges, ascending, shape ``(bins - 1,)``, and the index of each coarse bin's first bin."""

    edges: NDArray[np.float64]
    coarse: NDArray[np.int64]


def choose_bins(values: NDArray[np.float64], weights: NDArray[np.int64], *, whole: bool) -> Bins:
    """Choose the bins of a column.

    Parameters
    ----------
    values
        Distinct finite values or a sketch's points, ascending, shape ``(n,)``.
    weights
        How many rows each stands for, shape ``(n,)``.
    whole
        Whether all values of the column are whole numbers.

    Returns
    -------
    Bins
        At most `MAX_BINS` bins; a single one if there are no values.
    """
    if not len(values):
        return Bins(np.empty(0), np.zeros(1, dtype=np.int64))
    if len(values) == 1:
        edges = np.array([edge for edge in (float(values[0]), _after(values[0], whole=False)) if math.isfinite(edge)])
        return Bins(edges, np.arange(len(edges) + 1, dtype=np.int64))
    everything = np.ones(len(values), dtype=bool)
    if len(values) < MAX_BINS:
        bins = _Cutter(values, weights, everything, whole=whole).cut()
        if len(bins.edges) < MAX_BINS:
            return bins
    shares = weights / weights.sum()
    for heavy in (1 / 60, 1 / 40, 1 / 30, 1 / 20, 1 / 10):
        bins = _Cutter(values, weights, shares > heavy, whole=whole).cut()
        if len(bins.edges) < MAX_BINS:
            return bins
    return _Cutter(values, weights, ~everything, whole=whole).cut()


class _Cutter:
    """Cuts are places in the list of values: a cut at `i` is between ``values[i - 1]`` and ``values[i]``."""

    def __init__(self, values: NDArray[np.float64], weights: NDArray[np.int64], alone: NDArray[np.bool_], *, whole: bool) -> None:
        self.values = values
        self.alone = alone
        self.whole = whole
        self.below = np.concatenate(([0], np.cumsum(weights)))
        """The mass below each cut, from cut 0 to cut n."""

    def cut(self) -> Bins:
        """Choose the cuts, and give them as edges."""
        coarse = self._coarse_cuts()
        edges: list[float] = []
        starts = [0]
        for start, stop in zip([0, *coarse], [*coarse, len(self.values)], strict=True):
            if start:
                starts.append(len(edges) + 1)
            for place in self._fine_cuts(start, stop):
                edges += [edge for edge in self._edges(place) if not edges or edge > edges[-1]]
        return Bins(np.array(edges, dtype=np.float64), np.array(starts, dtype=np.int64))

    def _coarse_cuts(self) -> list[int]:
        total = int(self.below[-1])
        targets = total * np.arange(1, COARSE_BINS) / COARSE_BINS
        cuts = self._nearest(targets, 0, len(self.values))
        least = MIN_COARSE_SHARE * total
        while cuts:
            masses = np.diff(self.below[[0, *cuts, len(self.values)]])
            lightest = int(masses.argmin())
            if masses[lightest] >= least:
                break
            last = lightest == len(cuts)
            right = not lightest or (not last and masses[lightest + 1] < masses[lightest - 1])
            del cuts[lightest if right else lightest - 1]
        return cuts

    def _fine_cuts(self, start: int, stop: int) -> list[int]:
        """Give the cuts of a coarse bin, its own lower one first; only those that give an edge."""
        alone = np.flatnonzero(self.alone[start:stop]) + start
        needed = {int(place) for value in alone for place in (value, value + 1)} & set(range(start, stop))
        if stop == len(self.values) and self.alone[-1]:
            needed.add(stop)
        if start or self.alone[0]:
            needed.add(start)
        mass = self.below[stop] - self.below[start]
        targets = self.below[start] + mass * np.arange(1, FINE_PER_COARSE) / FINE_PER_COARSE
        wanted = [place for place in self._nearest(targets, start, stop) if place not in needed]
        room = FINE_PER_COARSE - len(needed | {start})
        # Where heavy values take up the room, the cuts that are farthest from any other stay.
        while len(wanted) > max(0, room):
            fixed = np.array(sorted({start, stop, *needed, *wanted}))
            gaps = [min(np.abs(self.below[fixed[fixed != place]] - self.below[place])) for place in wanted]
            del wanted[int(np.argmin(gaps))]
        return sorted({*needed, *wanted})

    def _nearest(self, targets: NDArray[np.float64], start: int, stop: int) -> list[int]:
        """Give the places strictly between two cuts whose mass below is nearest to the targets, each once."""
        if stop - start < 2:
            return []
        inside = self.below[start + 1 : stop]
        right = np.clip(np.searchsorted(inside, targets), 0, len(inside) - 1)
        left = np.maximum(right - 1, 0)
        places = np.where(np.abs(inside[left] - targets) <= np.abs(inside[right] - targets), left, right)
        return [int(place) + start + 1 for place in np.unique(places)]

    def _edges(self, place: int) -> list[float]:
        """Turn a cut into one edge, or into two around the gap between two values that stand alone."""
        left = float(self.values[place - 1]) if place and self.alone[place - 1] else None
        right = float(self.values[place]) if place < len(self.values) and self.alone[place] else None
        edges = [] if left is None else [_after(left, whole=self.whole)]
        if right is not None:
            edges += [edge for edge in [right] if edge not in edges]
        if left is None and right is None:
            edges = [roundest(float(self.values[place - 1]), float(self.values[place]))]
        return [edge for edge in edges if math.isfinite(edge)]


def _after(value: float, *, whole: bool) -> float:
    return value + 1.0 if whole and abs(value) < 2.0**53 else math.nextafter(value, math.inf)


def roundest(low: float, high: float) -> float:
    """Find the number with the fewest digits in ``(low, high]``, about in the middle.

    >>> roundest(0.12345678, 0.12399999), roundest(2.0, 3.0), roundest(-0.7, 12.9)
    (0.1237, 2.5, 6.0)
    """
    middle = low / 2 + high / 2 if abs(low) > 1.0 else (low + high) / 2  # neither overflows nor loses the smallest doubles
    for digits in range(1, 17):
        rounded = float(f"{middle:.{digits}g}") + 0.0
        if low < rounded <= high:
            return rounded
    return high
