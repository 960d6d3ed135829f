"""Hellinger distance: how far the shares of bins or categories moved, on a scale from 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.drift.divergence_bound import bound_of, filled
from agent.stats.drift.effect import Effect, Floats, effect
from agent.stats.drift.shares import Counts, shares_of, without_rare

CHI_SQUARE_SCALE = 8.0
"""Near no drift ``8 * H**2`` starts like Pearson's chi-square over the sample size."""


def hellinger(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Hellinger distance with its lower bound.

    ``sqrt(1 - sum(sqrt(p * q)))`` over the shares p of the window and q of training. Of all distances over bins it minds a
    rare category that became common most. Bins too rare in both samples are pooled first (`without_rare`).

    Parameters
    ----------
    current, reference
        Counts in the same bins, shapes ``(..., B)`` that broadcast; a reference that is overdispersed itself divided by that.
    alpha
        One-sided error of the bound; broadcasts with the leading shape.
    overdispersion
        Of the window's counts, broadcasts with the leading shape.

    Returns
    -------
    Effect
        In [0, 1], 1 where no bin is shared. NaN where either sample is empty.

    References
    ----------
    Hellinger (1909); Beran, Annals of Statistics 5 (1977). The variance of ``8 * H**2`` by the delta method is
    ``16 (1 - BC**2)(1/n + 1/m)`` with ``BC = sum(sqrt(p * q))``; for the bound, `divergence_bound`.

    Examples
    --------
    >>> result = hellinger(np.array([[300, 200, 100], [600, 0, 0]]), np.array([200, 200, 200]), 0.05)
    >>> result.value.round(4).tolist(), result.lower.round(3).tolist()
    ([0.1507, 0.6501], [0.114, 0.59])
    """
    shares = shares_of(current, reference, overdispersion)
    p, q, bins = without_rare(shares)
    squared = _squared(p, q)
    p, q = filled(p, q, bins, shares)  # the root of a few rows has a long lower tail
    lower = bound_of(CHI_SQUARE_SCALE * _squared(p, q), p, q, bins, shares, alpha, _spread)
    return effect(np.sqrt(squared), np.sqrt(lower / CHI_SQUARE_SCALE), shares.rows, shares.reference_rows, shares.defined)


def _squared(p: Floats, q: Floats) -> Floats:
    """Half of ``sum((sqrt(p) - sqrt(q))**2)``: no digits lost where the samples are alike."""
    roots = np.sqrt(p) - np.sqrt(q)
    squared: Floats = np.minimum(np.einsum("...b,...b->...", roots, roots) / 2, 1.0)
    return squared


def _spread(p: Floats, q: Floats, rows: Floats, reference_rows: Floats) -> Floats:
    # the root of a share has the same spread whatever the share, also where a bin happens to be empty
    overlap = np.sqrt(p * q).sum(axis=-1)
    spread: Floats = 4 * np.sqrt(np.maximum(1 - overlap**2, 0.0) * (1 / rows + 1 / reference_rows))
    return spread
