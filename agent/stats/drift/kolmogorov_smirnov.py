"""Kolmogorov-Smirnov distance over ordered bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import kolmogorov

from agent.stats.drift.effect import Effect, effect
from agent.stats.drift.shares import Counts, gaps, shares_of


def kolmogorov_smirnov(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Kolmogorov-Smirnov distance of two samples counted in the same ordered bins, with its lower bound.

    ``max(abs(F(x) - G(x)))`` over the bin edges x. Between the edges nothing is known, so the distance can only be
    understated, by at most the mass of one bin; the bound and the p-value stay valid.

    The bound is ``D - sqrt(ln(2/alpha) / 2 * (1/n + 1/m))``: by the triangle inequality D exceeds the true distance by no
    more than the largest value of the noise ``(F - true F) - (G - true G)``. Where one sample is much the larger the noise
    is that of the other, and the bound is Massart's for any distribution; where F = G it is the two-sample inequality of
    Wei and Dudley; in between the variance of the noise is nowhere larger. DKW for each sample at alpha/2 asks for
    ``sqrt(ln(4/alpha)/2n) + sqrt(ln(4/alpha)/2m)``: 1.3 times as much at m = 10 n, 1.5 times at m = n.

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
        In [0, 1]; the p-value is the asymptotic one at the effective sizes. NaN where either sample is empty.

    References
    ----------
    Massart, Annals of Probability 18 (1990); Wei and Dudley, "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities",
    Statistics and Probability Letters 82 (2012).

    Examples
    --------
    >>> result = kolmogorov_smirnov(np.array([400, 300, 300]), np.array([200, 300, 500]), 0.05)
    >>> round(result.value.item(), 4), round(result.lower.item(), 4)  # sqrt(ln(40) / 1000) = 0.0607
    (0.2, 0.1393)
    """
    shares = shares_of(current, reference, overdispersion)
    gap = gaps(shares)
    distance = np.minimum(np.maximum(gap.max(axis=-1), -gap.min(axis=-1)), 1.0)
    lower = distance - np.sqrt(np.log(2 / np.asarray(alpha)) / 2 * shares.noise)
    p_value = kolmogorov(distance / np.sqrt(shares.noise))
    return effect(distance, lower, shares.rows, shares.reference_rows, shares.defined, p_value)
