"""Chi-square between two samples of categories, as an effect size that does not grow with the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from agent.stats.drift.divergence_bound import bound_of, delta_spread
from agent.stats.drift.effect import Effect, Floats, effect
from agent.stats.drift.shares import Counts, shares_of, without_rare


def chi_square(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Cohen's w of the two-sample chi-square, with its lower bound and the p-value of Pearson's test.

    ``w = sqrt(sum((p - q)**2 / ((p + q) / 2)))`` over the shares p of the window and q of training. With samples of the same
    size that is ``sqrt(X2 * (1/n + 1/m))`` for the homogeneity statistic X2. The textbook's pooled denominator weights the
    shares by n and m instead, so that the same change would be a larger effect against a larger training set, without
    limit for a category that training never had. By convention w is small at 0.1, medium at 0.3, large at 0.5.
    Bins too rare in both samples are pooled first (`without_rare`).

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
        In [0, 2], 2 where no category is shared; p-value of Pearson's X2 at the effective sizes with B - 1 degrees of freedom,
        1 with a single bin. NaN where either sample is empty.

    References
    ----------
    Pearson (1911) for two samples; Rao and Scott, Annals of Statistics 12 (1984), for X2 at effective sizes; Cohen,
    "Statistical Power Analysis" (1988), §7.2; Topsøe (2000) for the triangular discrimination ``sum((p - q)**2 / (p + q))``;
    for the bound, `divergence_bound`.

    Examples
    --------
    >>> result = chi_square(np.array([30, 50, 20]), np.array([20, 50, 30]), 0.05)
    >>> round(result.value.item(), 4), result.lower.item(), result.p_value.round(4).item()  # X2 = 4
    (0.2828, 0.0, 0.1353)
    """
    shares = shares_of(current, reference, overdispersion)
    p, q, bins = without_rare(shares)
    squares = (p - q) ** 2
    squared = np.minimum(2 * _weighted(squares, p + q), 4.0)
    lower = bound_of(squared, p, q, bins, shares, alpha, _spread)
    n, m = shares.effective, shares.reference_effective
    # in shares of the larger sample, so that no product of sizes leaves the floats
    largest = np.maximum(n, m)
    by_size = p * (n / largest)[..., None] + q * (m / largest)[..., None]
    x2 = _weighted(squares, by_size) * np.minimum(n, m)
    p_value = np.where(bins > 1, chdtrc(np.maximum(bins - 1, 1.0), x2), 1.0)
    return effect(np.sqrt(squared), np.sqrt(lower), shares.rows, shares.reference_rows, shares.defined, p_value)


def _weighted(squares: Floats, weights: Floats) -> Floats:
    """Add up squares over weights; an empty bin has neither."""
    sums: Floats = (squares / np.where(weights > 0, weights, 1.0)).sum(axis=-1)
    return sums


def _spread(p: Floats, q: Floats, rows: Floats, reference_rows: Floats) -> Floats:
    both = p + q
    ratio = (p - q) / np.where(both > 0, both, 1.0)
    return delta_spread(p, q, 4 * ratio - 2 * ratio**2, -4 * ratio - 2 * ratio**2, rows, reference_rows)
