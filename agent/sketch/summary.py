"""What a column's sketch says when asked: frozen values that the statistics compare.

The training profile gives the same summaries for the reference, so a statistic takes two of a kind and knows of neither
the sketch nor the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NumericSummary:
    """A numeric column over some rows.

    Parameters
    ----------
    rows
        All rows seen: ``missing + infinite + count``.
    missing
        Rows without a value (NaN or null).
    infinite
        Rows with positive or negative infinity; they count in `bin_counts` (the outermost bins) but in no moment.
    count
        Rows with a finite value.
    mean, variance
        Of the finite values; variance is the population's (``M2 / count``). NaN where ``count`` is 0.
    minimum, maximum
        Of the finite values; NaN where ``count`` is 0.
    edges
        Interior bin edges, ascending, shape ``(bins - 1,)``. Bin ``i`` is ``[edges[i-1], edges[i])``; the first and the last
        bin are open-ended.
    bin_counts
        int64, shape ``(bins,)``; sums to ``count + infinite``.
    coarse
        Where each coarse bin (about a decile) starts, as indices into `bin_counts`; ascending, first is 0.
    points, weights
        The quantile sketch's retained values, ascending, and how many values each stands for; empty where `count` is 0.
    bin_sums
        float64, shape ``(bins,)``: per bin the sum of ``x - origin`` over its finite values, where origin is
        `agent.sketch.bins.origin_of` the edges. Not finite where it is beyond a float or not known; empty where nobody knows.
    """

    rows: int
    missing: int
    infinite: int
    count: int
    mean: float
    variance: float
    minimum: float
    maximum: float
    edges: NDArray[np.float64]
    bin_counts: NDArray[np.int64]
    coarse: NDArray[np.int64]
    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    bin_sums: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """A categorical column over some rows.

    Parameters
    ----------
    rows
        All rows seen: ``missing + counts.sum() + unseen``.
    missing
        Rows without a value.
    categories
        The reference's categories as canonical text: integers without a point, ``true`` and ``false``, strings as they are.
    counts
        int64, one per category.
    unseen
        Rows whose value is none of `categories` (in the reference: categories too rare to be listed).
    distinct
        Estimated number of distinct values, the unseen ones included.
    """

    rows: int
    missing: int
    categories: tuple[str, ...]
    counts: NDArray[np.int64]
    unseen: int
    distinct: float


Summary = NumericSummary | CategorySummary
