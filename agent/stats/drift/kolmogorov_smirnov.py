"""Kolmogorov-Smirnov distance over the frozen bin edges."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import kolmogorov

from agent.sketch.summary import NumericSummary, Summary
from agent.stats.drift.bins import Counts, same_bins
from agent.stats.drift.effect import DIFFERENT_BINS, EMPTY_REFERENCE, EMPTY_WINDOW, Comparison, effect


def kolmogorov_smirnov(current: Summary, reference: Summary, alpha: float) -> Comparison:
    """Kolmogorov-Smirnov distance of two numeric columns over their fine bins; see `ks_of_counts`."""
    if not (isinstance(current, NumericSummary) and isinstance(reference, NumericSummary) and same_bins(current, reference)):
        return DIFFERENT_BINS
    return ks_of_counts(current.bin_counts, reference.bin_counts, alpha)


def ks_of_counts(current: Counts, reference: Counts, alpha: float) -> Comparison:
    """Kolmogorov-Smirnov distance of two samples counted in the same ordered bins, with its lower bound.

    ``max(abs(F(x) - G(x)))`` over the bin edges x. Between the edges nothing is known, so the distance can only be
    understated, by at most the mass of one bin; the bound and the p-value stay valid.

    Parameters
    ----------
    current, reference
        Counts in the same ordered bins, shape ``(bins,)``.
    alpha
        Error of the bound: ``D - sqrt(ln(4/alpha)/2n) - sqrt(ln(4/alpha)/2m)``, provable for any distribution.

    Returns
    -------
    Comparison
        In [0, 1]; the p-value is the asymptotic one. Undefined where either sample is empty.

    References
    ----------
    Dvoretzky, Kiefer and Wolfowitz (1956) with the constant of Massart, Annals of Probability 18 (1990), at alpha/2 for each
    sample.

    Examples
    --------
    >>> result = ks_of_counts(np.array([400, 300, 300]), np.array([200, 300, 500]), 0.05)
    >>> round(result.value, 4), round(result.lower, 4)  # sqrt(ln(80) / 2000) = 0.0468
    (0.2, 0.1064)
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    if rows == 0:
        return EMPTY_WINDOW
    if reference_rows == 0:
        return EMPTY_REFERENCE
    distance = float(np.max(np.abs(np.cumsum(current) / rows - np.cumsum(reference) / reference_rows)))
    log = math.log(4 / alpha) / 2
    lower = distance - math.sqrt(log / rows) - math.sqrt(log / reference_rows)
    harmonic = rows / (rows + reference_rows) * reference_rows
    return effect(distance, lower, rows, reference_rows, float(kolmogorov(math.sqrt(harmonic) * distance)))
