"""All columns of one kind side by side: the figures of a stretch of time as arrays instead of objects.

A statistic of 200 columns over seven stretches of time is 1,400 comparisons. As objects they cost a fifth of a second; as
arrays whose last axis is the bin and whose leading axes are time and column, some milliseconds. Columns with fewer bins
than the widest are padded with empty bins on the right, which no statistic sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.sketch.bins import origin_of
from agent.sketch.categorical import CategorySketch
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary

Floats = NDArray[np.float64]
Counts = NDArray[Any]
"""Whole numbers: int64, or int32 where they were `packed`; float64 where they are of a part of the rows (`scaled`)."""


_INT32_MAX = 2**31 - 1

NumericSource = NumericSketch | NumericSummary
CategorySource = CategorySketch | CategorySummary


@dataclass(frozen=True, slots=True)
class NumericLayout:
    """The frozen bins of C numeric columns, padded to the widest.

    Parameters
    ----------
    edges
        Interior edges, shape ``(C, B - 1)``, padded with infinity.
    bins
        How many bins each column has, shape ``(C,)``.
    origin
        What the sums of each column are measured from (`agent.sketch.bins.origin_of`), shape ``(C,)``.
    """

    edges: Floats
    bins: Counts
    origin: Floats
    _starts: NDArray[np.intp]
    _places: NDArray[np.intp]
    _width: int

    @classmethod
    def of(cls, columns: Sequence[tuple[Floats, Counts]]) -> NumericLayout:
        """Lay out columns by their interior edges and the starts of their coarse bins."""
        width = max((edges.size for edges, _ in columns), default=0)
        padded = np.full((len(columns), width), np.inf)
        for row, (edges, _) in zip(padded, columns, strict=True):
            row[: edges.size] = edges
        most = max((coarse.size for _, coarse in columns), default=0)
        firsts = [place * (width + 1) + coarse for place, (_, coarse) in enumerate(columns)]
        places = [place * most + np.arange(coarse.size) for place, (_, coarse) in enumerate(columns)]
        nothing = np.empty(0, dtype=np.intp)
        return cls(
            padded,
            np.array([edges.size + 1 for edges, _ in columns], dtype=np.int64),
            np.array([origin_of(edges) for edges, _ in columns], dtype=np.float64),
            np.concatenate([nothing, *firsts]).astype(np.intp),
            np.concatenate([nothing, *places]).astype(np.intp),
            most,
        )

    @property
    def width(self) -> int:
        """Bins of the widest column."""
        return int(self.edges.shape[1]) + 1

    @property
    def coarse_width(self) -> int:
        """Coarse bins of the column that has most."""
        return self._width

    def coarse(self, fine: NDArray[np.float64]) -> Floats:
        """Add up bins, shape ``(..., C, B)``, to coarse bins, shape ``(..., C, D)``, padded with zeros."""
        leading, columns = fine.shape[:-2], fine.shape[-2]
        found = np.zeros((*leading, columns * self._width))
        if columns:
            found[..., self._places] = np.add.reduceat(fine.reshape(*leading, -1), self._starts, axis=-1)
        return found.reshape(*leading, columns, self._width)


@dataclass(frozen=True, slots=True)
class NumericFrame:
    """Numeric columns over the same rows. Every array has the leading shape ``(..., C)``.

    Parameters
    ----------
    missing, infinite, count
        As in `agent.sketch.summary.NumericSummary`, int64.
    mean, variance, minimum, maximum
        Of the finite values, population variance; NaN where `count` is 0.
    outside
        Rows with a value beyond the range of training, int64.
    counts
        Rows in each frozen bin, shape ``(..., C, B)``.
    sums
        Of the finite values in each bin, measured from the column's origin, shape ``(..., C, B)``.
    """

    missing: Counts
    infinite: Counts
    count: Counts
    mean: Floats
    variance: Floats
    minimum: Floats
    maximum: Floats
    outside: Counts
    counts: Counts
    sums: NDArray[Any]

    @property
    def has_sums(self) -> bool:
        """Whether it has the sums of its bins: what is coarse has none."""
        return bool(self.sums.shape[-1])

    @property
    def rows(self) -> Counts:
        """All rows, those without a value included."""
        rows: Counts = self.missing + self.infinite + self.count
        return rows

    @classmethod
    def of(cls, sources: Sequence[NumericSource], layout: NumericLayout, outside: Counts) -> NumericFrame:
        """Lay sketches or summaries side by side, one per column of the layout; shape ``(C,)``, as that of `outside`."""
        figures = list(map(_figures, sources))
        counts = np.zeros((len(figures), layout.width), dtype=np.int64)
        sums = np.zeros(counts.shape)
        for place, (_, bin_counts, bin_sums) in enumerate(figures):
            counts[place, : bin_counts.size] = bin_counts
            sums[place, : bin_sums.size] = bin_sums
        numbers = np.array([each for each, _, _ in figures], dtype=np.float64).reshape(-1, 7).T
        missing, infinite, count = numbers[:3].astype(np.int64)
        mean, variance, minimum, maximum = numbers[3:]
        return cls(missing, infinite, count, mean, variance, minimum, maximum, outside, counts, sums)


@dataclass(frozen=True, slots=True)
class CategoryFrame:
    """Categorical columns over the same rows. Every array has the leading shape ``(..., C)``.

    Parameters
    ----------
    missing
        Rows without a value, int64.
    counts
        Rows of each known category, padded with zeros, and in the last cell the unseen ones; shape ``(..., C, K)``.
    """

    missing: Counts
    counts: Counts

    @property
    def rows(self) -> Counts:
        """All rows, those without a value included."""
        rows: Counts = self.missing + self.counts.sum(axis=-1)
        return rows

    @classmethod
    def of(cls, sources: Sequence[CategorySource], known: int) -> CategoryFrame:
        """Lay sketches or summaries side by side; `known` is how many categories the widest of them has. Shape ``(C,)``."""
        counts = np.zeros((len(sources), known + 1), dtype=np.int64)
        for row, source in zip(counts, sources, strict=True):
            row[: source.counts.size] = source.counts
            row[-1] = source.unseen
        return cls(np.array([source.missing for source in sources], dtype=np.int64), counts)


Frame = TypeVar("Frame", NumericFrame, CategoryFrame)


@dataclass(frozen=True, slots=True)
class Frames:
    """All compared columns: the numeric ones and the categorical ones, each in the order of the schema."""

    numeric: NumericFrame
    category: CategoryFrame


def stacked(frames: Sequence[Frames]) -> Frames:
    """Put at least one stretch after the other along a new first axis."""
    return Frames(_stacked([frame.numeric for frame in frames]), _stacked([frame.category for frame in frames]))


def _stacked(frames: Sequence[Frame]) -> Frame:
    return type(frames[0])(*starmap(_pile, zip(*(_arrays(frame) for frame in frames), strict=True)))


def _pile(*arrays: NDArray[Any]) -> NDArray[Any]:
    return np.stack(arrays)


def _arrays(frame: NumericFrame | CategoryFrame) -> list[NDArray[Any]]:
    return [getattr(frame, name) for name in frame.__slots__]


def suffixes(frames: Frames, lengths: Sequence[int]) -> Frames:
    """Add up the last stretches.

    Parameters
    ----------
    frames
        Of P stretches, oldest first, shape ``(P, C)``.
    lengths
        How many of the last stretches each result covers: ascending, the first at least 1, the last at most P.

    Returns
    -------
    Frames
        Shape ``(len(lengths), C)``.
    """
    return Frames(_numeric_suffixes(frames.numeric, lengths), CategoryFrame(*_sums(_arrays(frames.category), lengths)))


def _sums(arrays: Sequence[NDArray[Any]], lengths: Sequence[int]) -> list[NDArray[Any]]:
    return [_summed(array, lengths) for array in arrays]


def _summed(array: NDArray[Any], lengths: Sequence[int]) -> NDArray[Any]:
    starts = array.shape[0] - np.array(lengths[::-1])
    pieces = np.add.reduceat(array, starts, axis=0, dtype=np.int64 if array.dtype.kind == "i" else np.float64)
    return np.cumsum(pieces[::-1], axis=0)


def _extreme(array: Floats, lengths: Sequence[int], pick: np.ufunc) -> Floats:
    # fmin and fmax pass over the NaN of stretches without values.
    pieces = pick.reduceat(array, array.shape[0] - np.array(lengths[::-1]), axis=0)
    return np.asarray(pick.accumulate(pieces[::-1], axis=0))


def _numeric_suffixes(frame: NumericFrame, lengths: Sequence[int]) -> NumericFrame:
    missing, infinite, count, outside, counts, sums = _sums(
        [frame.missing, frame.infinite, frame.count, frame.outside, frame.counts, frame.sums], lengths
    )
    mean, variance = _moments(frame, count, lengths)
    return NumericFrame(
        missing, infinite, count, mean, variance,
        _extreme(frame.minimum, lengths, np.fmin), _extreme(frame.maximum, lengths, np.fmax), outside, counts, sums,
    )  # fmt: skip


CANCELLED = 1e-12
"""A spread below this part of the squared distance is what rounding leaves of none."""


def _moments(frame: NumericFrame, count: Counts, lengths: Sequence[int]) -> tuple[Floats, Floats]:
    """Join means and variances as Chan, Golub and LeVeque (1979), all measured from the mean of everything.

    Of a stretch whose values are all the same, far from that mean, rounding is left over (`CANCELLED`): it has no spread.
    """
    weights = frame.count.astype(np.float64)
    some = weights > 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = np.where(some, frame.mean, 0.0)
        centre = (mean * (weights / np.maximum(weights.sum(axis=0), 1.0))).sum(axis=0)
        away = np.where(some, mean - centre, 0.0)
        squares = np.where(some, weights * (frame.variance + away * away), 0.0)
        first, second = _sums([weights * away, squares], lengths)
        shift = first / count
        variance = second / count - shift * shift
        variance[variance <= CANCELLED * second / count] = 0.0
        return np.where(count > 0, centre + shift, np.nan), np.where(count > 0, variance, np.nan)


def _figures(source: NumericSource) -> tuple[tuple[float, ...], Counts, Floats]:
    if isinstance(source, NumericSummary):
        moments: tuple[float, ...] = (source.count, source.mean, source.variance, source.minimum, source.maximum)
        return (source.missing, source.infinite, *moments), source.bin_counts, source.bin_sums
    found = source.moments.result()
    low, high = (source.minimum, source.maximum) if found.count else (np.nan, np.nan)
    numbers = (source.missing, source.infinite, found.count, found.mean, found.variance, low, high)
    return numbers, source.bins.result(), source.bin_sums()


def at(frames: Frames, place: int) -> Frames:
    """Give one of the stretches, shape ``(C,)``."""
    numeric = NumericFrame(*(array[place] for array in _arrays(frames.numeric)))
    return Frames(numeric, CategoryFrame(*(array[place] for array in _arrays(frames.category))))


def last(frames: Frames) -> Frames:
    """Give the last of the stretches alone, shape ``(1, C)``."""
    numeric = NumericFrame(*(array[-1:] for array in _arrays(frames.numeric)))
    return Frames(numeric, CategoryFrame(*(array[-1:] for array in _arrays(frames.category))))


def scaled(frames: Frames, part: float) -> Frames:
    """Give the figures of a part of the rows, in (0, 1], that are like all of them."""
    if part == 1.0:
        return frames
    numeric, category = frames.numeric, frames.category
    return Frames(
        replace(
            numeric,
            missing=numeric.missing * part,
            infinite=numeric.infinite * part,
            count=numeric.count * part,
            outside=numeric.outside * part,
            counts=numeric.counts * part,
            sums=numeric.sums * part,
        ),
        CategoryFrame(category.missing * part, category.counts * part),
    )


def coarsened(frames: Frames, layout: NumericLayout) -> Frames:
    """Give the same figures small: coarse bins only, no sums of bins, counts as int32 where they fit. For what is kept long."""
    numeric = frames.numeric
    counts = _small(layout.coarse(numeric.counts.astype(np.float64)).astype(np.int64))
    sums = np.empty((*counts.shape[:-1], 0))
    return Frames(replace(numeric, counts=counts, sums=sums), _small_category(frames.category))


def packed(frames: Frames) -> Frames:
    """Give the same figures in half of the memory: counts as int32 and sums of bins as float32, where they fit."""
    sums = frames.numeric.sums
    with np.errstate(over="ignore"):
        halved = sums.astype(np.float32)
    fits = np.array_equal(np.isfinite(halved), np.isfinite(sums))
    numeric = replace(frames.numeric, counts=_small(frames.numeric.counts), sums=halved if fits else sums)
    return Frames(numeric, _small_category(frames.category))


def _small_category(frame: CategoryFrame) -> CategoryFrame:
    return replace(frame, counts=_small(frame.counts))


def _small(counts: NDArray[Any]) -> NDArray[Any]:
    return counts.astype(np.int32) if not counts.size or int(counts.max()) <= _INT32_MAX else counts
