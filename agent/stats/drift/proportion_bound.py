"""Bounds of the difference of two shares: Newcombe's square-and-add of the intervals of each.

Newcombe adds up two Wilson intervals. Wilson's lower end is too high for rare events, and more so the smaller the level: with
200 categories in 50 rows nearly every window had one that "changed". So the exact interval of Clopper and Pearson decides; it
is computed only where Wilson's, with less of its quantile (`SCREEN`), is already above 0.

Sources: Wilson, JASA 22 (1927); Newcombe, Statistics in Medicine 17 (1998), methods 10 and 11; Clopper and Pearson,
Biometrika 26 (1934).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainccinv, betaincinv, ndtri

from agent.stats.drift.effect import Floats


def difference_lower(
    share: ArrayLike, rows: ArrayLike, reference: ArrayLike, reference_rows: ArrayLike, alpha: ArrayLike
) -> Floats:
    """Lower bound of the magnitude of the difference of two true shares, element by element.

    Parameters
    ----------
    share, reference
        Shares of rows that have the property, in [0, 1].
    rows, reference_rows
        Effective sample sizes, above 0, not necessarily whole.
    alpha
        Two-sided error: the sign of the difference is not known beforehand.

    Returns
    -------
    NDArray
        Of the broadcast shape, at least 0; 0 where the interval of the difference holds 0. Cost: 2 µs where it does not.

    Examples
    --------
    >>> difference_lower(56 / 70, 70, 48 / 80, 80, 0.05).round(3).item()  # Newcombe's example (a), there 0.0524 to 0.3339
    0.044
    >>> difference_lower([0.02, 0.1], 50, 0.0005, 10_000, 0.05).round(3).tolist()
    [0.0, 0.033]
    """
    p, n, q, m, tail = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (share, rows, reference, reference_rows, np.asarray(alpha) / 2))
    )
    more = p >= q
    high, high_rows, low, low_rows = np.where(more, p, q), np.where(more, n, m), np.where(more, q, p), np.where(more, m, n)
    lower = np.zeros(p.shape)
    suspect = _added(high, low, _wilson(high, high_rows, tail, -1), _wilson(low, low_rows, tail, 1)) > 0
    if suspect.any():
        high, high_rows, low, low_rows, tail = (x[suspect] for x in (high, high_rows, low, low_rows, tail))
        exact = _added(high, low, _exact_low(high, high_rows, tail), _exact_high(low, low_rows, tail))
        lower[suspect] = np.maximum(exact, 0.0)
    return lower


SCREEN = 0.7
"""Part of Wilson's quantile at which the exact bound is worth computing: in a sample without any the exact end is nearer, as
``1 - exp(-x) >= x / (1 + x)`` with x above ``z² / 2n``."""


def _added(high: Floats, low: Floats, end_of_high: Floats, end_of_low: Floats) -> Floats:
    difference: Floats = high - low - np.hypot(high - end_of_high, end_of_low - low)
    return difference


def _wilson(share: Floats, rows: Floats, tail: Floats, side: int) -> Floats:
    square = (SCREEN * ndtri(tail)) ** 2 / rows
    half = np.sqrt(square * (share * (1 - share) + square / 4))
    end: Floats = (share + square / 2 + side * half) / (1 + square)
    return end


def _exact_low(share: Floats, rows: Floats, tail: Floats) -> Floats:
    """Clopper and Pearson's lower end; of a share above 0."""
    count = share * rows
    return np.where(count > 0, betaincinv(np.maximum(count, 1e-300), rows - count + 1, tail), 0.0)


def _exact_high(share: Floats, rows: Floats, tail: Floats) -> Floats:
    """Clopper and Pearson's upper end."""
    count = share * rows
    rest = np.maximum(rows - count, 0.0)
    return np.where(rest > 0, betainccinv(count + 1, np.maximum(rest, 1e-300), tail), 1.0)
