"""Total variation: the share of rows that would have to change bin or category."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from agent.stats.drift.binned import narrow
from agent.stats.drift.effect import Effect, Flags, Floats, effect
from agent.stats.drift.shares import Counts, Shares, shares_of, without_rare


def total_variation(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Total variation distance with its lower bound.

    ``sum(abs(p - q)) / 2`` over the shares p of the window and q of training: the largest difference in probability of any
    set of bins. Bins too rare in both samples are pooled first (`without_rare`).

    The bound takes off what two samples differ by chance. The noise is the largest over sets of bins of a Gaussian with
    variance at most ``(1/n + 1/m) / 4``: it exceeds its median by more than ``z * sqrt(1/n + 1/m) / 2`` with probability at
    most alpha, and its median is at most its mean, ``sum(sd of p - q) / sqrt(2 pi)``. A bin whose change is certain in its
    sign adds no chance: there the noise has mean 0.

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
        In [0, 1]; 0 with a single bin. NaN where either sample is empty.

    References
    ----------
    Borell (1975) and Tsirelson, Ibragimov and Sudakov (1976) for the deviation from the median; Kwapień (1994) for median
    and mean.

    Examples
    --------
    >>> result = total_variation(np.array([500, 300, 200]), np.array([300, 400, 300]), 0.05)
    >>> round(result.value.item(), 4), round(result.lower.item(), 3)
    (0.2, 0.163)
    """
    shares = shares_of(current, reference, overdispersion)
    p, q, _ = without_rare(shares)
    gap = np.abs(p - q)
    distance = np.minimum(gap.sum(axis=-1) / 2, 1.0)
    lower = np.asarray(distance + ndtri(np.asarray(alpha)) / 2 * np.sqrt(shares.noise))
    suspect = np.asarray(lower > 0)
    if suspect.any():
        lower[suspect] -= _chance(p, q, shares, suspect, narrow(np.asarray(alpha), suspect))
    return effect(distance, lower, shares.rows, shares.reference_rows, shares.defined)


def _chance(p: Floats, q: Floats, shares: Shares, suspect: Flags, alpha: Floats) -> Floats:
    """Give the mean of what chance adds to the distance."""
    shape = suspect.shape
    p, q = (np.broadcast_to(x, (*shape, x.shape[-1]))[suspect] for x in (p, q))
    n, m = (np.broadcast_to(x, shape)[suspect][:, None] for x in (shares.effective, shares.reference_effective))
    # of each sample or of both together, whichever varies more: the few rows of a small window say too little
    common = (p + q) / 2 * (1 - (p + q) / 2)
    spread = np.sqrt(np.maximum(p * (1 - p), common) / n + np.maximum(q * (1 - q), common) / m)
    bins = np.maximum(np.count_nonzero(common, axis=-1), 1)[:, None]
    certain = np.abs(p - q) > (1 - ndtri(alpha[:, None] / (2 * bins))) * spread
    chance: Floats = np.where(certain, 0.0, spread).sum(axis=-1) / math.sqrt(2 * math.pi)
    return chance
