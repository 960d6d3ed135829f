"""How many distinct categories a window shows, against how many it would show under training: a lost one leaves a gap."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from agent.stats.drift.binned import narrow, wide
from agent.stats.drift.effect import Effect, Floats, effect
from agent.stats.drift.shares import Counts, shares_of

TILTS = 0.2 * 3.0 ** np.arange(8)
"""Where Chernoff's bound is looked at, up to 437; between two of these it is at most 16 % larger than at its best."""

SKETCH_ERROR = 0.1
"""Of an estimated number of distinct values so much is taken off: four standard errors of the HyperLogLog sketch."""

EXACT = 100.0
"""Up to so many the sketch of distinct values is as good as exact."""


def distinct_change(
    counts: Counts,
    distinct: ArrayLike,
    reference_counts: Counts,
    reference_distinct: ArrayLike,
    alpha: ArrayLike,
    overdispersion: ArrayLike = 1.0,
) -> Effect:
    """Relative difference between the number of distinct categories and what the window's rows would show under training.

    ``(D - E) / E`` with ``E = sum(1 - (1 - q)**n)`` over the known categories' shares q of training. D counts the known ones in
    the window, and of the others those in excess of the most that n rows could show under training: the rarefaction curve
    is concave, so no more than training's own number times ``max(1, n/m)``, and no more than one per row.
    A category that training often had and the window never is -1/E.

    The bound takes off what chance does under no drift; for fewer categories at the effective size, for more at the raw one. The
    number shown is a sum of negatively dependent indicators, for which Chernoff's bound holds as if they were independent:
    a single lost category is found as soon as ``(1 - q)**n`` is below about alpha. Categories that training never had arrive
    at the rate of its singletons (Good and Turing), one added. To that the uncertainty of q is added (Gaussian, delta
    method), and of large estimated numbers the sketch's error.

    Parameters
    ----------
    counts, reference_counts
        Rows of each known category, and in the last cell those of all others; shapes ``(..., K)`` that broadcast.
    distinct, reference_distinct
        Distinct values, those outside the known categories included; leading shape.
    alpha
        Two-sided error of the bound.
    overdispersion
        Of the window; values below 1 count as 1. Broadcasts with the leading shape.

    Returns
    -------
    Effect
        At least -1, negative where there are fewer. NaN where either sample is empty, or training has no known category.

    References
    ----------
    Hurlbert, "The nonconcept of species diversity", Ecology 52 (1971), for E (rarefaction); Good, Biometrika 40 (1953);
    Dubhashi and Ranjan, "Balls and bins: a study in negative dependence" (1998); Chernoff (1952).

    Examples
    --------
    >>> reference = np.array([2000, 2000, 2000, 2000, 0])
    >>> result = distinct_change(np.array([[90, 110, 95, 105, 0], [150, 0, 130, 120, 0]]), [4, 3], reference, 4, 1e-4)
    >>> result.value.round(3).tolist(), result.lower.round(2).tolist()
    ([0.0, -0.25], [0.0, 0.2])
    """
    shares = shares_of(counts, reference_counts, overdispersion)
    n, m = shares.rows, shares.reference_effective
    q = shares.reference[..., :-1]
    seen = np.count_nonzero(shares.current[..., :-1], axis=-1).astype(np.float64)
    most = _expected(q, n)
    fewest = most if np.array_equal(n, shares.effective) else _expected(q, shares.effective)
    excess = _others(shares.current, distinct) - np.minimum(
        _others(shares.reference, reference_distinct) * np.maximum(1.0, n / m) * (1 + SKETCH_ERROR), n * shares.reference[..., -1]
    )
    excess = np.maximum(excess, 0.0)
    arrivals = n / m * (np.count_nonzero(np.round(q * m[..., None]) == 1, axis=-1) + 1)
    scale = np.maximum(most, 1e-300)
    value = (seen + excess - most) / scale
    defined = shares.defined & (shares.reference[..., :-1].sum(axis=-1) > 0)
    lower = np.zeros(np.broadcast_shapes(value.shape, fewest.shape))
    excess = excess * np.where(excess > EXACT, 1 - SKETCH_ERROR, 1.0)
    # less than half a category is within any margin
    for gap, rows, extra, side in ((fewest - seen, shares.effective, 0.0, -1.0), (seen + excess - most, n, arrivals, 1.0)):
        suspect = np.broadcast_to((gap > 0.5) & (np.sign(value) == side) & defined, lower.shape)
        if suspect.any():
            some = wide(q, suspect), narrow(rows, suspect)
            level = narrow(np.asarray(alpha), suspect)
            chance = -ndtri(level / 2) * _uncertainty(*some, narrow(m, suspect))
            margin = _margin(*some, narrow(np.asarray(extra), suspect), np.log(2 / level), side)
            lower[suspect] = np.maximum(narrow(gap, suspect) - chance - margin, 0.0) / narrow(scale, suspect)
    return effect(value, lower, n, shares.reference_rows, defined)


def _others(shares: Floats, distinct: ArrayLike) -> Floats:
    """Give how many distinct values there are outside the known categories: at least one where any row has one."""
    known = np.count_nonzero(shares[..., :-1], axis=-1)
    return np.where(shares[..., -1] > 0, np.maximum(np.asarray(distinct, dtype=np.float64) - known, 1.0), 0.0)


def _log_missed(q: Floats, rows: Floats) -> Floats:
    """Give the logarithm of the chance that a category of share q is in none of so many rows."""
    missed: Floats = rows[..., None] * np.log1p(-np.minimum(q, CERTAIN))
    return missed


CERTAIN = 1 - 1e-15
"""A category that is all of training is missed by a row with a chance that is small, and has a logarithm."""


def _expected(q: Floats, rows: Floats) -> Floats:
    expected: Floats = q.shape[-1] - np.exp(_log_missed(q, rows)).sum(axis=-1)
    return expected


def _uncertainty(q: Floats, rows: Floats, reference_rows: Floats) -> Floats:
    """Give the standard deviation of the expected number that comes from q being measured."""
    slope = rows[..., None] * np.exp(-rows[..., None] * q)
    spread: Floats = np.sqrt((slope * slope * q).sum(axis=-1) / reference_rows)
    return spread


def _margin(q: Floats, rows: Floats, extra: Floats, half: Floats, side: float) -> Floats:
    """Give how far to the given side of its mean the number shown gets with probability at most ``exp(-half)``.

    ``min over t of (half + log E exp(side * t * (D - E))) / t``; `extra` is the mean of Poisson arrivals.
    """
    missed = np.exp(_log_missed(q, rows))
    shown = 1 - missed
    mean = shown.sum(axis=-1)
    best = np.full(mean.shape, np.inf)
    for tilt in TILTS:
        tilted = np.log(missed + shown * math.exp(side * tilt)).sum(axis=-1) - side * tilt * mean
        # arrivals count from 0, not from their mean
        best = np.minimum(best, (half + tilted + extra * np.expm1(side * tilt)) / tilt)
    return best
