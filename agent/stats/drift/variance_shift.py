"""Change of the spread: the z-score of the variance, as the logarithm of the ratio of standard deviations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri, ndtri

from agent.stats.drift.binned import Binned, Bins, Scaled, narrow, sigma_of
from agent.stats.drift.effect import Effect, Floats, effect
from agent.stats.drift.kurtosis import kurtosis

LEAST = 1.5
"""Kurtosis is at least 1; for a fair coin it is 1, its variance has no spread at first order and a little at second."""


def variance_shift(
    current: Binned, reference: Binned, edges: Floats, origin: Floats, alpha: ArrayLike, overdispersion: ArrayLike = 1.0
) -> Effect:
    """Logarithm of the ratio of standard deviations, with the lower bound of its magnitude.

    ``ln(s / σ)``, positive where the values spread more than in training; 0.18 is a fifth more. The variance of n values
    with kurtosis κ is about as uncertain as a Normal's of ``2 n / (κ - 1)`` degrees of freedom, here times ``(1 - κ/n)**2``:
    a single value can make κ as large as n, and then proves nothing. The bound inverts the F test with those.
    κ is estimated from bins and sums (`kurtosis`), for the window as the larger of its own and the reference's: a lognormal
    window that happened to miss the tail looks narrow and light-tailed both.

    Parameters
    ----------
    current, reference
        The samples; leading shapes broadcast.
    edges
        Interior edges, ascending, padded with infinity, shape ``(..., B - 1)``.
    origin
        What the sums are measured from, shape ``(...)``.
    alpha
        Two-sided error of the bound.
    overdispersion
        Of the window; values below 1 count as 1. Broadcasts with the leading shape.

    Returns
    -------
    Effect
        Any finite number. NaN where either has fewer than two (effective) values or only a single one: then the bins say it.

    References
    ----------
    Box, "Non-normality and tests on variances", Biometrika 40 (1953); Bonett, Computational Statistics and Data Analysis 50
    (2006), for the pooled kurtosis.

    Examples
    --------
    >>> edges, grid = np.array([-0.5, 0.0, 0.5]), np.linspace(-1, 1, 1001)
    >>> def binned(x):
    ...     bins = np.searchsorted(edges, x, side="right")
    ...     return Binned(np.array(x.size), x.mean(), x.var(), np.bincount(bins, minlength=4), np.bincount(bins, x, 4))
    >>> result = variance_shift(binned(grid * 2), binned(grid), edges, np.array(0.0), 0.05)
    >>> round(result.value.item(), 4), round(result.lower.item(), 2)  # ln 2
    (0.6931, 0.65)
    """
    count, reference_count = (np.asarray(x.count, dtype=np.float64) for x in (current, reference))
    sigma = sigma_of(reference_count, reference.mean, reference.variance)
    own = sigma_of(count, current.mean, current.variance)
    size = count / np.maximum(overdispersion, 1.0)
    with np.errstate(all="ignore"):
        # unbiased variances, so that twenty values are not narrower than training by a fortieth
        unbiased = np.log1p(1 / (size - 1)) - np.log1p(1 / (reference_count - 1))
        ratio = np.log(own) - np.log(sigma) + unbiased / 2
        defined = (size >= 2) & (reference_count >= 2) & np.isfinite(ratio)
        bins = Bins.of(edges, origin, sigma)
        reference_tail = np.maximum(kurtosis(Scaled.of(reference, sigma, origin), bins, reference_count), LEAST)
        half = np.asarray(alpha, dtype=np.float64) / 2
        lightest = np.broadcast_to(2 * (size - 1) / (reference_tail - 1), defined.shape)
        least = -ndtri(half) * np.sqrt(0.5 / lightest)
        suspect = np.asarray(defined & (np.abs(ratio) > SURE * least))
        lower = np.zeros(suspect.shape)
        if suspect.any():
            tail = np.maximum(kurtosis(Scaled.of(current, sigma, origin), bins, count), reference_tail)
            freedom, reference_freedom = (
                narrow(np.asarray(np.maximum(2 * (n - 1) / (k - 1) * np.maximum(1 - k / n, 0.0) ** 2, 0.01)), suspect)
                for k, n in ((tail, size), (reference_tail, reference_count))
            )
            some = np.broadcast_to(ratio, suspect.shape)[suspect]
            lower[suspect] = _lower(some, freedom, reference_freedom, narrow(half, suspect))
    return effect(ratio, lower, count, reference_count, np.asarray(defined))


SURE = 0.5
"""Below this part of the Normal's own bound the bound is not computed: it is 0."""


def _lower(ratio: Floats, freedom: Floats, reference_freedom: Floats, half: Floats) -> Floats:
    """Take off what the F test at half of alpha on the side of the change allows, in logarithms of standard deviations."""
    more = ratio > 0
    above, below = np.where(more, freedom, reference_freedom), np.where(more, reference_freedom, freedom)
    allowed = np.log(fdtri(above, below, 1 - half)) / 2
    lower: Floats = np.abs(ratio) - allowed
    return np.where(np.isfinite(lower), np.maximum(lower, 0.0), 0.0)
