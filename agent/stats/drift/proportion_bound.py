"""The interval of a difference of two shares: Newcombe's square-and-add of the intervals of each.

Newcombe adds up two Wilson intervals. Wilson's lower end is too high for rare categories, and more so the smaller the
level: with 200 categories in 50 rows nearly every window had one that "changed". So where a count is small the exact
interval of Clopper and Pearson stands in: a little wider, and right at any level.

Sources: Wilson, JASA 22 (1927); Newcombe, Statistics in Medicine 17 (1998), methods 10 and 11; Clopper and Pearson,
Biometrika 26 (1934).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv, betaincinv, ndtri

Floats = NDArray[np.float64]

LARGE = 1000
"""From so many rows with and so many without, Wilson's interval is as good as the exact one and takes no time."""


def difference_lower(count: ArrayLike, rows: int, reference: ArrayLike, reference_rows: int, alpha: float) -> Floats:
    """Lower bound of the magnitude of the difference of two true shares, element by element.

    Parameters
    ----------
    count, reference
        How many rows have the property, in [0, rows] and [0, reference_rows], of the same shape.
    rows, reference_rows
        Of how many, at least 1.
    alpha
        Two-sided error: the sign of the difference is not known beforehand.

    Returns
    -------
    NDArray
        Shape ``(counts,)``, at least 0; 0 where the interval of the difference holds 0.

    Examples
    --------
    >>> difference_lower(56, 70, 48, 80, 0.05).round(3).item()  # Newcombe's example (a), there 0.0524 to 0.3339
    0.044
    >>> difference_lower([1, 5], 50, [5, 5], 10_000, 0.05).round(3).tolist()
    [0.0, 0.033]
    """
    c, r = np.atleast_1d(np.asarray(count, dtype=np.float64)), np.atleast_1d(np.asarray(reference, dtype=np.float64))
    p, q = c / rows, r / reference_rows
    low, high = _interval(c, rows, alpha / 2)
    reference_low, reference_high = _interval(r, reference_rows, alpha / 2)
    above = (p - q) - np.sqrt((p - low) ** 2 + (reference_high - q) ** 2)
    below = (q - p) - np.sqrt((q - reference_low) ** 2 + (high - p) ** 2)
    lower: Floats = np.maximum(0.0, np.maximum(above, below))
    return lower


def _interval(count: Floats, rows: int, tail: float) -> tuple[Floats, Floats]:
    low, high = _wilson(count / rows, rows, tail)
    small = np.minimum(count, rows - count) < LARGE
    if not small.any():
        return low, high
    exact_low, exact_high = _exact(count[small], rows, tail)
    low[small], high[small] = exact_low, exact_high
    return low, high


def _wilson(share: Floats, rows: int, tail: float) -> tuple[Floats, Floats]:
    square = float(ndtri(tail)) ** 2 / rows
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return centre - half, centre + half


def _exact(count: Floats, rows: int, tail: float) -> tuple[Floats, Floats]:
    """Clopper-Pearson with `tail` on either side."""
    some, all_rows = count > 0, count >= rows
    low = np.where(some, betaincinv(np.where(some, count, 1.0), rows - count + 1, tail), 0.0)
    high = np.where(all_rows, 1.0, betainccinv(count + 1, np.where(all_rows, 1.0, rows - count), tail))
    return low, high
