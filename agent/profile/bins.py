"""Frozen bins: where a numeric column is cut, for good.

Counts in frozen bins have no sketch error and add up over replicas. Ten coarse bins of about equal mass (deciles) carry
the scores; each is cut into up to six fine ones, for sharper distances. The cuts between coarse bins are chosen first, so
that a coarse bin is a whole number of fine bins.

- A value in more than 1/60 of the rows is wider than a fine bin: a quantile cut would fall on it again and again. It gets
  a bin of its own: ``[v, v + 1)`` in a column of whole numbers, else wide enough that v is in it as a float32 too, which is
  what tensors carry, and no wider than half-way to the next value.
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
        value = float(values[0])
        edges = np.array([edge for edge in (_from(value, -math.inf), _to(value, math.inf)) if math.isfinite(edge)])
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
        left = float(self.values[place - 1]) if place else -math.inf
        right = float(self.values[place]) if place < len(self.values) else math.inf
        edges = []
        if place and self.alone[place - 1]:
            is_exact = self.whole and abs(left) < _EXACT
            edges.append(left + 1.0 if is_exact else _to(left, right))
        if place < len(self.values) and self.alone[place]:
            edge = right if self.whole and abs(right) < _EXACT else _from(right, left)
            edges += [edge] if not edges or edge > edges[-1] else []
        return [edge for edge in edges or [roundest(left, right)] if math.isfinite(edge)]


_EXACT = 2.0**53
"""Whole numbers below this are exact, and so is the next one."""

_ROUNDING = 2.0**-23
"""Twice the relative error of a float32, which is 2**-24 at most."""


def _margin(value: float) -> float:
    return 0.0 if value.is_integer() and abs(value) < _SINGLE else abs(value) * _ROUNDING


_SINGLE = 2.0**24
"""Whole numbers below this are the same as a float32."""


def _from(value: float, before: float) -> float:
    """Give where the bin of a value that stands alone begins, behind the value before it."""
    lowest = value - _margin(value)
    return max(lowest, before / 2 + value / 2) if math.isfinite(before) and lowest <= before else lowest


def _to(value: float, behind: float) -> float:
    """Give where the bin of a value that stands alone ends, before the value behind it."""
    highest = max(value + _margin(value), math.nextafter(value, math.inf))
    if not math.isfinite(behind) or highest < behind:
        return highest
    return max(value / 2 + behind / 2, math.nextafter(value, math.inf))


def roundest(low: float, high: float) -> float:
    """Find the number with the fewest digits in ``(low, high)``, about in the middle; `high` where there is none.

    >>> roundest(0.12345678, 0.12399999), roundest(2.0, 3.0), roundest(-0.7, 12.9)
    (0.1237, 2.5, 6.0)
    """
    middle = low / 2 + high / 2 if abs(low) > 1.0 else (low + high) / 2  # neither overflows nor loses the smallest doubles
    for digits in range(1, 17):
        rounded = float(f"{middle:.{digits}g}") + 0.0
        if low < rounded < high:
            return rounded
    return high
