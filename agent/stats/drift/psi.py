"""Population stability index: how far the shares of bins or categories moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.drift.divergence_bound import bound_of, delta_spread
from agent.stats.drift.effect import Effect, Flags, Floats, effect
from agent.stats.drift.shares import Counts, shares_of, without_rare


def psi(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Compute the population stability index with its lower bound.

    ``sum((p - q) * ln(p / q))`` over the shares p of the window and q of training, natural logarithm, one row added to every
    bin of either sample so that an empty bin stays finite. Bins too rare in both samples are pooled first (`without_rare`).

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
        At least 0, without upper limit; 0 with a single bin. NaN where either sample is empty.

    References
    ----------
    Kullback and Leibler (1951), "J-divergence"; Siddiqi, "Credit Risk Scorecards" (2006); for the bound, `divergence_bound`.

    Examples
    --------
    >>> result = psi(np.array([[299, 199, 99], [0, 0, 0]]), np.array([199, 199, 199]), 0.05)
    >>> result.value.round(4).tolist()  # (1/6) ln(3/2) + (1/6) ln 2
    [0.1831, nan]
    >>> result.lower.round(3).tolist()
    [0.105, nan]
    """
    shares = shares_of(current, reference, overdispersion)
    p, q, bins = without_rare(shares)
    left = p + q > 0
    p, q = _smooth(p, left, shares.rows, bins), _smooth(q, left, shares.reference_rows, bins)
    value = np.einsum("...b,...b->...", p - q, np.log(p / q))
    lower = bound_of(value, p * left, q * left, bins, shares, alpha, _spread)
    return effect(value, lower, shares.rows, shares.reference_rows, shares.defined)


def _smooth(p: Floats, left: Flags, rows: Floats, bins: Floats) -> Floats:
    """Add a row to every bin that is left; the others are 1 in both samples, which no difference and no logarithm sees."""
    smooth: Floats = np.where(left, (p * rows[..., None] + 1) / np.maximum(rows + bins, 1.0)[..., None], 1.0)
    return smooth


def _spread(p: Floats, q: Floats, rows: Floats, reference_rows: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(p > 0, p / q, 1.0)
        log = np.log(ratio)
        return delta_spread(p, q, log + 1 - 1 / ratio, 1 - ratio - log, rows, reference_rows)
