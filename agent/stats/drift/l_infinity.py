"""L-infinity: the largest change of one category's share."""

from __future__ import annotations

import numpy as np

from agent.stats.drift.bins import Counts
from agent.stats.drift.effect import EMPTY_REFERENCE, EMPTY_WINDOW, Comparison, effect
from agent.stats.drift.proportion_bound import difference_lower

BOUNDED = 16
"""Bounds are computed for so many of the largest changes; leaving out the others can only lower the result."""


def l_infinity(current: Counts, reference: Counts, alpha: float) -> Comparison:
    """Largest absolute change of one category's share, with its lower bound.

    ``max(abs(p - q))``. The bound is the largest of the categories' own bounds (Newcombe), each at ``alpha`` over their number.

    Parameters
    ----------
    current, reference
        Counts in the same bins, shape ``(bins,)``.
    alpha
        Error of the bound.

    Returns
    -------
    Comparison
        In [0, 1]. Undefined where either sample is empty.

    References
    ----------
    Breck et al., "Data validation for machine learning", MLSys (2019), §3.2; for the bound, `proportion_bound`.

    Examples
    --------
    >>> result = l_infinity(np.array([500, 300, 200]), np.array([300, 400, 300]), 0.05)
    >>> round(result.value, 4), round(result.lower, 4)
    (0.2, 0.1475)
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    if rows == 0:
        return EMPTY_WINDOW
    if reference_rows == 0:
        return EMPTY_REFERENCE
    p, q = current / rows, reference / reference_rows
    change = np.abs(p - q)
    top = np.argsort(change)[-BOUNDED:]
    lower = difference_lower(current[top], rows, reference[top], reference_rows, alpha / len(p))
    return effect(float(change[top[-1]]), float(np.max(lower)), rows, reference_rows)
