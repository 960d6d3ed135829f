"""The change of one share of rows: what the missing, the unseen and the out-of-range share have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.drift.effect import Effect, effect
from agent.stats.drift.proportion_bound import difference_lower


def share_change(
    count: ArrayLike,
    rows: ArrayLike,
    reference_count: ArrayLike,
    reference_rows: ArrayLike,
    alpha: ArrayLike,
    overdispersion: ArrayLike = 1.0,
) -> Effect:
    """Difference of two shares, current minus reference, with the lower bound of its magnitude (Newcombe).

    Parameters
    ----------
    count, reference_count
        Rows with the property, in [0, rows].
    rows, reference_rows
        All rows. All four broadcast.
    alpha
        Two-sided error of the bound; broadcasts with the others.
    overdispersion
        Of the window's count; values below 1 count as 1. Broadcasts with the others.

    Returns
    -------
    Effect
        In [-1, 1]. NaN where either has no rows.

    References
    ----------
    For the bound, `proportion_bound`.

    Examples
    --------
    >>> result = share_change([100, 10, 0], [500, 500, 0], 10, 1000, 0.05)
    >>> result.value.round(4).tolist(), result.lower.round(4).tolist()
    ([0.19, 0.01, nan], [0.1548, 0.0, nan])
    """
    c, n, r, m = (np.asarray(x, dtype=np.float64) for x in (count, rows, reference_count, reference_rows))
    p, q = (np.clip(x / np.maximum(y, 1.0), 0.0, 1.0) for x, y in ((c, n), (r, m)))
    lower = difference_lower(p, np.maximum(n, 1.0) / np.maximum(overdispersion, 1.0), q, np.maximum(m, 1.0), alpha)
    return effect(p - q, lower, n, m, (n > 0) & (m > 0))
