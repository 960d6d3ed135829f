"""Wasserstein distance in standard deviations of training: how far the values moved, on average."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from agent.stats.drift.binned import Binned, Bins, Scaled, narrow, sigma_of, wide
from agent.stats.drift.effect import Effect, Floats, effect


def wasserstein(
    current: Binned, reference: Binned, edges: Floats, origin: Floats, alpha: ArrayLike, overdispersion: ArrayLike = 1.0
) -> Effect:
    """Wasserstein-1 distance over the standard deviation of training (σ), with its lower bound.

    ``integral(abs(F - G)) / σ``; times σ it is the raw distance. The integral of F - G over a bin is exact from counts and
    sums: ``integral of F over [a, b] = (b - a) F(a) + (b * c - s) / n`` for c values in it with the sum s. The
    distance is the sum of the absolute integrals, exact wherever F and G do not cross inside a bin, and never too large; a
    shift or a change of scale crosses once or not at all. Below the lowest and above the highest edge it is the difference of
    how far the values reach beyond. Infinite values count as lying at the edge of their bin, and what that may add is
    taken off the bound.

    The bound takes off what two samples differ by chance. In the Gaussian limit the distance is the largest difference of
    means over functions of slope 1, whose variance is at most the variable's own; so it exceeds its median by more than
    ``z * sqrt(var F / n + var G / m)`` with probability at most alpha (for the window the larger of both variances counts,
    as in `mean_shift`), and its median is at most its mean, ``sqrt(2/pi)`` times the sum of the standard deviations of
    the integrals. Of a bin of width w with the integral I that is at most ``sqrt(I (w - I) / n)``; of the two open-ended
    ones together ``sqrt(2 A / n)``, where A is the mean square of how far values reach beyond the outermost edges: at most
    what the variance leaves for them.

    Parameters
    ----------
    current, reference
        The samples; leading shapes broadcast.
    edges
        Interior edges, ascending, padded with infinity, shape ``(..., B - 1)``.
    origin
        What the sums are measured from, shape ``(...)``.
    alpha
        One-sided error of the bound.
    overdispersion
        Of the window; values below 1 count as 1. Broadcasts with the leading shape.

    Returns
    -------
    Effect
        At least 0, without upper limit. NaN where either has no finite values, training only a single one, or a number is
        not finite.

    References
    ----------
    Bobkov and Ledoux, "One-dimensional empirical measures, order statistics, and Kantorovich transport distances" (2019),
    §3; Borell (1975) and Tsirelson, Ibragimov and Sudakov (1976) for the deviation; Kwapień (1994) for median and mean.

    Examples
    --------
    >>> edges, grid = np.array([-0.5, 0.0, 0.5]), np.linspace(-1, 1, 1001)  # σ = 0.578
    >>> def binned(x):
    ...     bins = np.searchsorted(edges, x, side="right")
    ...     return Binned(np.array(x.size), x.mean(), x.var(), np.bincount(bins, minlength=4), np.bincount(bins, x, 4))
    >>> result = wasserstein(binned(grid + 1), binned(grid), edges, np.array(0.0), 0.05)
    >>> round(result.value.item(), 3), round(result.lower.item(), 2)
    (1.73, 1.66)
    """
    count, reference_count = (np.asarray(x.count, dtype=np.float64) for x in (current, reference))
    sigma = sigma_of(reference_count, reference.mean, reference.variance)
    size = count / np.maximum(overdispersion, 1.0)
    with np.errstate(all="ignore"):
        bins = Bins.of(edges, origin, sigma)
        f, g = (Scaled.of(x, sigma, origin) for x in (current, reference))
        start = np.cumsum(f.shares - g.shares, axis=-1)
        gaps = bins.ends * (f.shares - g.shares) - (f.sums - g.sums)
        gaps[..., 1:] += bins.widths[..., 1:] * start[..., :-1]
        distance = np.asarray(np.abs(gaps).sum(axis=-1))
        defined = (size > 0) & (reference_count > 0) & np.isfinite(distance) & np.isfinite(current.variance)
        deviation = np.sqrt(np.maximum(f.variance, 1.0) / size + 1.0 / reference_count)
        off = (f.infinite + g.infinite) * np.abs(bins.ends).max(axis=-1)
        lower = np.asarray(np.where(defined, distance + ndtri(np.asarray(alpha)) * deviation - off, 0.0))
        suspect = np.asarray(lower > 0)
        if suspect.any():
            size_of, reference_of, level = (narrow(x, suspect) for x in (size, reference_count, np.asarray(alpha)))
            some = (bins.at(suspect), f.at(suspect), g.at(suspect))
            lower[suspect] -= _chance(*some, wide(gaps, suspect), size_of, reference_of, level)
            lower = np.where(np.isnan(lower), 0.0, lower)
    return effect(distance, lower, count, reference_count, np.asarray(defined))


def _chance(bins: Bins, f: Scaled, g: Scaled, gaps: Floats, size: Floats, reference_size: Floats, alpha: Floats) -> Floats:
    """Give the mean of what chance adds to the distance; an integral whose sign is certain adds nothing."""
    filled = np.maximum(np.count_nonzero(f.shares + g.shares, axis=-1), 1)[..., None]
    beyond = 1 - ndtri(alpha[..., None] / (2 * filled))
    inner, reference_inner = f.inner(bins), g.inner(bins)
    noise = np.sqrt(np.maximum(inner, reference_inner) / size[..., None] + reference_inner / reference_size[..., None])
    chance = np.where(np.abs(gaps) > beyond * noise, 0.0, noise).sum(axis=-1)
    outer, reference_outer = (np.clip(x.tails(bins).spread, 0.0, x.variance) for x in (f, g))
    both = np.sqrt(np.maximum(outer, reference_outer) / size + reference_outer / reference_size)
    ends = np.stack([gaps[..., 0], (gaps * bins.high).sum(axis=-1)], axis=-1)
    uncertain = (np.abs(ends) <= beyond * both[..., None]).sum(axis=-1)
    total: Floats = math.sqrt(2 / math.pi) * (chance + both * np.sqrt(uncertain))
    return total
