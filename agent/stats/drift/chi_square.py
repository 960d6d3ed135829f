"""Chi-square between two samples of categories, as an effect size that does not grow with the rows."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtrc

from agent.stats.drift.bins import Counts, without_rare
from agent.stats.drift.divergence_bound import delta_spread, divergence_lower
from agent.stats.drift.effect import EMPTY_REFERENCE, EMPTY_WINDOW, Comparison, effect


def chi_square(current: Counts, reference: Counts, alpha: float) -> Comparison:
    """Cohen's w of the two-sample chi-square, with its lower bound and the test's p-value.

    ``w = sqrt(sum((p - q)**2 / ((p + q) / 2)))`` over the shares p of the window and q of training. With samples of the same
    size that is ``sqrt(X2 * (1/n + 1/m))`` for the homogeneity statistic X2. The textbook's pooled denominator weights the
    shares by n and m instead, so that the same change would be a larger effect against a larger training set, without
    limit for a category that training never had. By convention w is small at 0.1, medium at 0.3, large at 0.5.
    Bins too rare in both samples are pooled first (`without_rare`).

    Parameters
    ----------
    current, reference
        Counts in the same bins, shape ``(bins,)``.
    alpha
        One-sided error of the bound.

    Returns
    -------
    Comparison
        In [0, 2], 2 where no category is shared; p-value of X2 with B - 1 degrees of freedom, 1 with a single bin. Undefined
        where either sample is empty.

    References
    ----------
    Pearson (1911) for two samples; Cohen, "Statistical Power Analysis" (1988), §7.2; Topsøe (2000) for the triangular
    discrimination ``sum((p - q)**2 / (p + q))``; for the bound, `divergence_bound`.

    Examples
    --------
    >>> result = chi_square(np.array([30, 50, 20]), np.array([20, 50, 30]), 0.05)
    >>> round(result.value, 4), round(result.lower, 4), round(result.p_value, 4)  # X2 = 4
    (0.2828, 0.0, 0.1353)
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    if rows == 0:
        return EMPTY_WINDOW
    if reference_rows == 0:
        return EMPTY_REFERENCE
    current, reference = without_rare(current, reference)
    p, q = current / rows, reference / reference_rows
    difference = p - q
    ratio = difference / (p + q)
    squared = float(2 * (difference @ ratio))
    spread = delta_spread(p, q, 4 * ratio - 2 * ratio**2, -4 * ratio - 2 * ratio**2, rows, reference_rows)
    lower = divergence_lower(squared, len(p), rows, reference_rows, spread, alpha)
    x2 = float(np.sum(difference**2 / (current + reference))) * rows * reference_rows
    p_value = float(chdtrc(len(p) - 1, x2)) if len(p) > 1 else 1.0
    return effect(math.sqrt(squared), math.sqrt(lower), rows, reference_rows, p_value)
