"""What is known of one column over one stretch of time, in the numbers that sentences are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.sketch.frame import CategoryFrame, NumericFrame, NumericLayout


@dataclass(frozen=True, slots=True)
class NumericFacts:
    """A numeric column; what is undefined is NaN.

    Parameters
    ----------
    rows, missing, infinite, count
        As in `agent.sketch.summary.NumericSummary`.
    mean, deviation, minimum, maximum
        Of the finite values.
    median
        The mean of the bin that the middle value falls in; NaN where that is an outer bin, whose one side is open.
    """

    rows: int
    missing: int
    infinite: int
    count: int
    mean: float
    deviation: float
    minimum: float
    maximum: float
    median: float


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """A categorical column: rows of each known category, and of unseen ones."""

    rows: int
    missing: int
    categories: tuple[str, ...]
    counts: NDArray[np.int64]
    unseen: int


Facts = NumericFacts | CategoryFacts


def medians(frame: NumericFrame, layout: NumericLayout) -> NDArray[np.float64]:
    """Give the means of the bins that the middle values fall in, of the frame's leading shape; NaN where that bin is open.

    Examples
    --------
    >>> from agent.sketch.numeric import NumericSketch
    >>> sketch = NumericSketch(np.array([0.0, 10.0]), np.array([0, 1, 2]))
    >>> sketch.update(np.array([-1.0, 2.0, 4.0, 12.0]))
    >>> layout = NumericLayout.of([(sketch.bins.edges, sketch.coarse)])
    >>> medians(NumericFrame.of([sketch], layout, np.zeros(1, dtype=np.int64)), layout).tolist()
    [3.0]
    """
    if not frame.has_sums:
        return np.full(frame.count.shape, np.nan)
    below = np.cumsum(frame.counts, axis=-1)
    total = below[..., -1:]
    middle = (below >= total / 2).argmax(axis=-1)[..., None]
    counts, sums = (np.take_along_axis(x, middle, axis=-1)[..., 0] for x in (frame.counts, frame.sums))
    closed = (total[..., 0] > 0) & (middle[..., 0] > 0) & (middle[..., 0] < layout.bins - 1)
    return np.where(closed, layout.origin + sums / np.maximum(counts, 1), np.nan)


def numeric_facts(frame: NumericFrame, place: tuple[int, ...], middles: NDArray[np.float64]) -> NumericFacts:
    """Read a column of a frame; `place` is an index of the leading shape, `middles` are all `medians`."""
    return NumericFacts(
        rows=int(frame.rows[place]),
        missing=int(frame.missing[place]),
        infinite=int(frame.infinite[place]),
        count=int(frame.count[place]),
        mean=float(frame.mean[place]),
        deviation=math.sqrt(max(0.0, float(frame.variance[place]))),
        minimum=float(frame.minimum[place]),
        maximum=float(frame.maximum[place]),
        median=float(middles[place]),
    )


def category_facts(frame: CategoryFrame, place: tuple[int, ...], categories: tuple[str, ...]) -> CategoryFacts:
    """Read a column of a frame; `place` is an index of the leading shape."""
    counts = frame.counts[place]
    return CategoryFacts(
        rows=int(frame.rows[place]),
        missing=int(frame.missing[place]),
        categories=categories,
        counts=counts[: len(categories)].astype(np.int64),
        unseen=int(counts[-1]),
    )
