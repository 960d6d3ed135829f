"""L-infinity: the largest change of one category's share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.drift.effect import Effect, effect
from agent.stats.drift.proportion_bound import difference_lower
from agent.stats.drift.shares import Counts, shares_of

CLEAR = 4.0
"""Standard deviations that are taken off a change to tell which category stands out most."""


def l_infinity(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Largest absolute change of one category's share, with its lower bound.

    ``max(abs(p - q))``. The bound is that of the category whose change stands out most, by the normal approximation, at
    ``alpha`` over the number of categories that either sample has: the largest of all categories' bounds would be as valid.

    Parameters
    ----------
    current, reference
        Counts in the same bins, shapes ``(..., B)`` that broadcast; a reference that is overdispersed itself divided by that.
    alpha
        Error of the bound; broadcasts with the leading shape.
    overdispersion
        Of the window's counts, broadcasts with the leading shape.

    Returns
    -------
    Effect
        In [0, 1]. NaN where either sample is empty.

    References
    ----------
    Breck et al., "Data validation for machine learning", MLSys (2019), §3.2; for the bound, `proportion_bound`.

    Examples
    --------
    >>> result = l_infinity(np.array([500, 300, 200]), np.array([300, 400, 300]), 0.05)
    >>> round(result.value.item(), 4), round(result.lower.item(), 4)
    (0.2, 0.1475)
    """
    shares = shares_of(current, reference, overdispersion)
    p, q = shares.current, shares.reference
    gap = np.abs(p - q)
    n, m = shares.effective[..., None], shares.reference_effective[..., None]
    level = np.asarray(alpha) / np.maximum(np.count_nonzero(p + q, axis=-1), 1)
    variance = np.maximum(p - p * p, 0.0) / n + np.maximum(q - q * q, 0.0) / m
    standing = gap - CLEAR * np.sqrt(variance)  # at no matter which level the same category, so that the bound falls with it
    at = np.where(p + q > 0, standing, -np.inf).argmax(axis=-1)[..., None]
    some_p, some_q = (np.take_along_axis(np.broadcast_to(x, variance.shape), at, axis=-1)[..., 0] for x in (p, q))
    lower = difference_lower(some_p, shares.effective, some_q, shares.reference_effective, level)
    return effect(gap.max(axis=-1), lower, shares.rows, shares.reference_rows, shares.defined)
