"""Cramér-von Mises distance over ordered bins: the gap between two distributions, averaged over their values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri

from agent.stats.drift.binned import narrow
from agent.stats.drift.effect import Effect, Flags, Floats, effect
from agent.stats.drift.noncentrality import noncentrality_lower
from agent.stats.drift.shares import Counts, Shares, gaps, shares_of

SURE = 0.7
"""Below this part of what no drift reaches with probability alpha, the bound is not computed: it is 0."""


def cramer_von_mises(current: Counts, reference: Counts, alpha: ArrayLike, overdispersion: ArrayLike = 1.0) -> Effect:
    """Cramér-von Mises distance of two samples counted in the same ordered bins, with its lower bound.

    ``sqrt(3 * integral((F - G)**2 dH))`` with ``H = (F + G) / 2``; inside a bin F and G are taken as straight. The factor
    makes it 1 for samples that share no bin. Unlike Kolmogorov-Smirnov it hears every part of the distribution, and
    is the more powerful for a shift.

    In the space of functions with that norm the noise of ``F - G`` is Gaussian with some covariance K. Its squared norm about
    a true gap ω has at any point at most the moment generating function of ``λ * X``, where λ is the largest eigenvalue of K
    and X noncentral chi-square with ``trace(K) / λ`` degrees of freedom and noncentrality ``ω**2 / λ``: each term of both
    series is (``-log(1 - a u) <= -a log(1 - u)`` for a in [0, 1]). The bound inverts that; λ is bounded by
    ``sqrt(trace(K**2))``, and K is taken from each sample or from both together, whichever is the larger.

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
        In [0, 1]. NaN where either sample is empty.

    References
    ----------
    Anderson, "On the distribution of the two-sample Cramér-von Mises criterion", Annals of Mathematical Statistics 33
    (1962); Anderson and Darling (1952) for the eigenvalues; for the inversion, `noncentrality`.

    Examples
    --------
    >>> result = cramer_von_mises(np.array([400, 300, 300]), np.array([200, 300, 500]), 0.05)
    >>> round(result.value.item(), 4), round(result.lower.item(), 3)
    (0.253, 0.211)
    >>> cramer_von_mises(np.array([9, 0]), np.array([0, 9]), 0.05).value.item()
    1.0
    """
    shares = shares_of(current, reference, overdispersion)
    p, q = shares.current, shares.reference
    gap = np.ascontiguousarray(gaps(shares))  # beside the weights, bin by bin
    weight = (p + q) / 2
    squared = np.minimum(_integral(gap, weight), 1.0)
    below = np.cumsum(weight, axis=-1)
    trace, eigenvalue = _trace(below, weight), _eigenvalue(below, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = np.where(eigenvalue > 0, eigenvalue * chdtri(np.maximum(trace / eigenvalue, 1.0), np.asarray(alpha)), 0.0)
    shape = np.broadcast_shapes(squared.shape, shares.noise.shape)
    lower = np.zeros(shape)
    suspect = np.broadcast_to(squared > SURE * usual * shares.noise, shape)
    if suspect.any():
        lower[suspect] = _lower(squared, shares, suspect, narrow(np.asarray(alpha), suspect))
    return effect(np.sqrt(squared), np.sqrt(lower), shares.rows, shares.reference_rows, shares.defined)


def _lower(squared: Floats, shares: Shares, suspect: Flags, alpha: Floats) -> Floats:
    """Bound the squared distance from below, shape ``(suspects,)``."""
    shape = suspect.shape
    p, q = (np.broadcast_to(x, (*shape, x.shape[-1]))[suspect] for x in (shares.current, shares.reference))
    n, m = (np.broadcast_to(x, shape)[suspect] for x in (shares.effective, shares.reference_effective))
    weight = (p + q) / 2
    f, g, h = (np.cumsum(x, axis=-1) for x in (p, q, weight))
    # of each sample by its own spread, and of both by that of the two together: a window of one value has none of its own
    noise = np.maximum(_trace(f, weight) / n + _trace(g, weight) / m, _trace(h, weight) * (1 / n + 1 / m))
    largest = np.maximum(_eigenvalue(f, weight) / n + _eigenvalue(g, weight) / m, _eigenvalue(h, weight) * (1 / n + 1 / m))
    eigenvalue = np.maximum(np.minimum(noise, largest), TINY)
    seen = np.broadcast_to(squared, shape)[suspect] / eigenvalue
    return np.minimum(noncentrality_lower(seen, np.maximum(noise / eigenvalue, 1.0), alpha) * eigenvalue, 1.0)


TINY = 1e-30
"""Stands in for the noise where both samples have one and the same single bin: there is none."""


def _integral(gap: Floats, weight: Floats) -> Floats:
    """Three times the integral of the squared gap, which is straight in each bin and 0 before the first."""
    ends = weight[..., :-1] + weight[..., 1:]  # of each edge between two bins; behind the last bin there is no gap
    inner = gap[..., :-1]
    total: Floats = np.asarray(np.einsum("...b,...b,...b->...", inner, inner, ends))
    total += np.einsum("...b,...b,...b->...", inner[..., 1:], inner[..., :-1], weight[..., 1:-1])
    return total


def _trace(below: Floats, weight: Floats) -> Floats:
    """Give the mean of the squared norm of a Brownian bridge at `below`, over the same integral."""
    spread = below * (1 - below)
    spread[..., 1:] += below[..., :-1] * (2 - below[..., :-1] - below[..., 1:])
    trace: Floats = np.maximum(np.einsum("...b,...b->...", spread, weight), 0.0)
    return trace


def _eigenvalue(below: Floats, weight: Floats) -> Floats:
    """Bound the largest eigenvalue of that bridge's covariance by the root of the sum of all squared.

    Over trapezia, ``1.5 (a**2 + b**2)`` in place of ``a**2 + a b + b**2``, which is nowhere less.
    """
    weight = 1.5 * (weight[..., :-1] + weight[..., 1:])
    below = below[..., :-1]
    at, rest = weight * below**2, weight * (1 - below) ** 2
    sums = 2 * np.cumsum(at, axis=-1) - at
    eigenvalue: Floats = np.sqrt(np.maximum(np.einsum("...b,...b->...", sums, rest), 0.0))
    return eigenvalue
