"""Jensen-Shannon distance: how far the shares of bins or categories moved, on a scale from 0 to 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from agent.stats.drift.divergence_bound import bound_of, delta_spread, filled
from agent.stats.drift.effect import Effect, Floats, effect
from agent.stats.drift.shares import Counts, shares_of, without_rare

CHI_SQUARE_SCALE = 8.0
"""Near no drift ``8 * JSD`` in nats starts like Pearson's chi-square over the sample size."""


def jensen_shannon(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Jensen-Shannon distance, base 2, with its lower bound.

    ``sqrt(JSD)`` with ``JSD = (KL(p || m) + KL(q || m)) / 2`` in bits and ``m = (p + q) / 2``. It is the distance, a metric,
    and not the divergence. Empty bins need no smoothing. Bins too rare in both samples are pooled first (`without_rare`).

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
    Lin, IEEE Transactions on Information Theory 37 (1991); Endres and Schindelin (2003) for the metric; for the bound,
    `divergence_bound` on ``8 * JSD``, mapped back to the distance.

    Examples
    --------
    >>> result = jensen_shannon(np.array([[300, 200, 100], [600, 0, 0]]), np.array([200, 200, 200]), 0.05)
    >>> result.value.round(4).tolist(), result.lower.round(3).tolist()
    ([0.1804, 0.6776], [0.137, 0.631])
    >>> jensen_shannon(np.array([10, 0]), np.array([0, 10]), 0.05).value.item()
    1.0
    """
    shares = shares_of(current, reference, overdispersion)
    p, q, bins = without_rare(shares)
    divergence = _divergence(p, q)
    p, q = filled(p, q, bins, shares)  # bins that happen to be empty seem to have no spread
    lower = bound_of(CHI_SQUARE_SCALE * _divergence(p, q), p, q, bins, shares, alpha, _spread)
    return effect(_distance(divergence), _distance(lower / CHI_SQUARE_SCALE), shares.rows, shares.reference_rows, shares.defined)


def _divergence(p: Floats, q: Floats) -> Floats:
    both = p + q
    entropies = xlogy(p, p).sum(axis=-1) + xlogy(q, q).sum(axis=-1)
    divergence: Floats = np.clip((entropies - xlogy(both, both / 2).sum(axis=-1)) / 2, 0.0, math.log(2))
    return divergence


def _spread(p: Floats, q: Floats, rows: Floats, reference_rows: Floats) -> Floats:
    # d JSD / d p = ln(p / middle) / 2; where p is 0 the slope has no weight
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope, reference_slope = (np.log(np.where(x > 0, x / middle, 1.0)) for x in (p, q))
    return CHI_SQUARE_SCALE / 2 * delta_spread(p, q, slope, reference_slope, rows, reference_rows)


def _distance(divergence: Floats) -> Floats:
    distance: Floats = np.sqrt(divergence / math.log(2))
    return distance
