"""The lower confidence bound that PSI, Jensen-Shannon, Hellinger and chi-square share.

Each of them, scaled so that it starts like Pearson's chi-square, follows ``(1/n + 1/m) * X`` for two multinomial samples
of n and m rows in B bins, where X is noncentral chi-square with B - 1 degrees of freedom. Under no drift its mean is
``(B - 1)(1/n + 1/m)`` and not 0: that bias is why a fixed threshold flags everything in a small window. The bound inverts
the noncentrality, so the bias is taken off by itself.

Far from no drift the noncentral law understates the spread where shares are very unequal; there the delta method is
right. Near no drift the delta method's spread vanishes, and the noncentral law is right. So the smaller of both counts.
The delta method is that of the root, on whose scale the law is nearly normal: the divergence's own takes 2,100 rows until a
PSI of 0.25 is proven to be above 0.1, and the root's 1,300. Whether there is anything at all is for the divergence's own: with
fifty rows in ten bins neither law holds, and it is the one that is too cautious rather than too bold.

Source: Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
Validation 14 (2020); for the inversion, `noncentrality`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtri

from agent.stats.drift.effect import Floats
from agent.stats.drift.noncentrality import noncentrality_lower
from agent.stats.drift.shares import TINY, Shares

Spread = Callable[[Floats, Floats, Floats, Floats], Floats]
"""Standard deviation of a divergence by the shares of both samples, shape ``(n, B)``, and their effective sizes, ``(n,)``."""


def bound_of(value: Floats, p: Floats, q: Floats, bins: Floats, shares: Shares, alpha: ArrayLike, spread: Spread) -> Floats:
    """Bound the divergences of pooled shares from below; their spread is asked for only where there is more than chance.

    Parameters
    ----------
    value
        The estimates, at least 0, scaled like Pearson's chi-square over the sample size; shape ``(...)``.
    p, q, bins
        What `without_rare` gave.
    shares
        The samples, for their sizes.
    alpha
        One-sided error, in (0, 1); broadcasts with the value.
    spread
        Gives the standard deviation of the value, by the delta method.

    Returns
    -------
    NDArray
        In ``[0, value]``, of the broadcast leading shape.
    """
    shape = np.broadcast_shapes(value.shape, shares.noise.shape)
    value, noise, bins = (np.broadcast_to(x, shape) for x in (value, shares.noise, bins))
    lower = np.zeros(shape)
    level = np.broadcast_to(np.asarray(alpha, dtype=np.float64), shape)
    suspect = value > _quantiles(bins, level) * noise
    if suspect.any():
        some_p, some_q = (np.broadcast_to(x, (*shape, x.shape[-1]))[suspect] for x in (p, q))
        sizes = [np.broadcast_to(x, shape)[suspect] for x in (shares.effective, shares.reference_effective)]
        some = value[suspect], bins[suspect], noise[suspect], spread(some_p, some_q, *sizes)
        lower[suspect] = divergence_lower(*some, level[suspect])
    return lower


def filled(p: Floats, q: Floats, bins: Floats, shares: Shares) -> tuple[Floats, Floats]:
    """Add half a row to every bin of both samples, for a bound: where few rows are expected, none may have come by chance.

    Parameters
    ----------
    p, q, bins
        What `without_rare` gave.
    shares
        The samples, for their sizes.

    Returns
    -------
    tuple
        The shares again, each summing to 1; 0 in both where a bin was pooled away.
    """
    left = (p + q > 0) / 2
    now, then = (
        (x * rows[..., None] + left) / (rows + bins / 2)[..., None]
        for x, rows in ((p, shares.effective), (q, shares.reference_effective))
    )
    return now, then


def _quantiles(bins: Floats, level: Floats) -> Floats:
    """Give what no drift stays below with probability 1 - alpha; infinite for a single bin."""
    levels, which = np.unique(level, return_inverse=True)
    table = _table(int(np.max(bins, initial=2.0)), tuple(levels.tolist()))
    found: Floats = table[which.reshape(level.shape), bins.astype(np.intp)]
    return found


@lru_cache(maxsize=64)
def _table(most: int, levels: tuple[float, ...]) -> Floats:
    """Give the quantiles by level and number of bins; infinite for none and for a single one."""
    table = np.full((len(levels), most + 1), np.inf)
    table[:, 2:] = chdtri(np.arange(1, most), np.array(levels)[:, None])
    return table


def divergence_lower(value: Floats, bins: Floats, noise: Floats, spread: Floats, alpha: ArrayLike) -> Floats:
    """Bound divergences from below.

    Parameters
    ----------
    value
        The estimates, at least 0, scaled like Pearson's chi-square over the sample size.
    bins
        B, at least 1.
    noise
        ``1/n + 1/m`` over the effective sizes.
    spread
        Standard deviation of each estimate by the delta method (`delta_spread`).
    alpha
        One-sided error of the bound, in (0, 1); broadcasts with the value.

    Returns
    -------
    NDArray
        In ``[0, value]``; 0 with a single bin.

    Examples
    --------
    >>> value, bins, noise = np.array([0.4, 0.4]), np.array([10.0, 10.0]), np.array([1 / 1000, 1 / 50]) + 1e-4
    >>> divergence_lower(value, bins, noise, np.array([0.03, 0.03]), 1e-4).round(3).tolist()  # fifty rows prove nothing
    [0.251, 0.0]
    """
    df = np.maximum(bins - 1.0, 1.0)
    near = noncentrality_lower(value / noise, df, alpha) * noise
    less, allowed = value - df * noise, -ndtri(np.asarray(alpha)) * spread
    # on the scale of the root, on which the spread hardly depends on the divergence
    root = np.sqrt(np.maximum(less, TINY)) - allowed / (2 * np.sqrt(np.maximum(value, TINY)))
    far = np.where(less > allowed, np.maximum(root, 0.0) ** 2, 0.0)
    lower: Floats = np.where(bins > 1, np.clip(np.minimum(near, far), 0.0, value), 0.0)
    return lower


def delta_spread(
    shares: Floats, reference_shares: Floats, slope: Floats, reference_slope: Floats, rows: Floats, reference_rows: Floats
) -> Floats:
    """Give the standard deviation of a function of two samples' shares by the delta method.

    Parameters
    ----------
    shares, reference_shares
        Shape ``(..., B)``, each sums to 1.
    slope, reference_slope
        Derivatives of the function by each share, shape ``(..., B)``.
    rows, reference_rows
        Effective sample sizes, shape ``(...)``.

    Examples
    --------
    >>> half, size = np.array([0.5, 0.5]), np.array(100.0)
    >>> round(delta_spread(half, half, np.array([1.0, 0.0]), np.zeros(2), size, size).item(), 3)
    0.05
    """
    variance = _variance(shares, slope) / rows + _variance(reference_shares, reference_slope) / reference_rows
    spread: Floats = np.sqrt(np.maximum(variance, 0.0))
    return spread


def _variance(shares: Floats, slope: Floats) -> Floats:
    mean = np.einsum("...b,...b->...", shares, slope)
    variance: Floats = np.einsum("...b,...b,...b->...", shares, slope, slope) - mean * mean
    return variance
