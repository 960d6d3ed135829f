"""Samples of numbers as exact figures of frozen bins: what the statistics of moments and distances within bins take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.stats.drift.effect import Flags, Floats
from agent.stats.drift.shares import Counts

Array = TypeVar("Array", Floats, Flags)

ROUNDING = 1e-12
"""A standard deviation below this part of the mean is rounding, not spread."""


@dataclass(frozen=True, slots=True)
class Binned:
    """Samples of numbers in frozen bins, of leading shape ``(...)``.

    Parameters
    ----------
    count
        Finite values.
    mean, variance
        Of the finite values, population variance; NaN where `count` is 0.
    counts
        Values per bin, infinite ones included, shape ``(..., B)``.
    sums
        Per bin the sum of ``x - origin`` over the finite values, shape ``(..., B)``.
    """

    count: NDArray[np.int64] | Floats
    mean: Floats
    variance: Floats
    counts: Counts
    sums: Floats


def sigma_of(count: Floats, mean: Floats, variance: Floats) -> Floats:
    """Give the standard deviation of the reference (σ), NaN where there is no value, a single one, or no finite number.

    Examples
    --------
    >>> sigma_of(np.array([9.0, 9.0, 0.0]), np.array([1.0, 1.0, np.nan]), np.array([4.0, 1e-30, np.nan])).tolist()
    [2.0, nan, nan]
    """
    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(np.maximum(variance, 0.0))
        usable = (count > 0) & np.isfinite(sigma) & np.isfinite(mean) & (sigma > ROUNDING * np.abs(mean))
    return np.where(usable, sigma, np.nan)


@dataclass(frozen=True, slots=True)
class Bins:
    """Frozen bins measured from their origin in σ, shape ``(..., B)``.

    Parameters
    ----------
    ends
        Right edges; of the highest bin, and of padding, the highest edge.
    widths
        0 for the open-ended bins at both ends and for padding.
    high
        Which is the highest bin, or padding; never the lowest.
    """

    ends: Floats
    widths: Floats
    high: Flags

    @classmethod
    def of(cls, edges: Floats, origin: Floats, sigma: Floats) -> Bins:
        """Measure edges padded with infinity, shape ``(..., B - 1)``, from `origin` in units of `sigma`, shape ``(...)``."""
        finite = np.isfinite(edges)
        inner = np.where(finite, edges - np.asarray(origin)[..., None], -np.inf)
        highest = inner.max(axis=-1, initial=-np.inf, keepdims=True)
        highest = np.where(np.isfinite(highest), highest, 0.0)
        ends = np.concatenate([np.where(finite, inner, highest), highest], axis=-1) / np.asarray(sigma)[..., None]
        high = np.concatenate([~finite, np.ones((*finite.shape[:-1], 1), dtype=bool)], axis=-1)
        high[..., 0] = False
        return cls(ends, np.diff(ends, axis=-1, prepend=ends[..., :1]), high)

    def at(self, where: Flags) -> Bins:
        """Keep the comparisons where `where` is true, as the only leading axis."""
        return Bins(wide(self.ends, where), wide(self.widths, where), wide(self.high, where))


@dataclass(frozen=True, slots=True)
class Tails:
    """What is known of the values beyond the outermost edges; the last axis is lowest, highest.

    Parameters
    ----------
    shares
        Of all rows, shape ``(..., 2)``.
    reach
        How far beyond the edge, summed over all rows' count, at least 0, shape ``(..., 2)``.
    edges
        The outermost edges, from the origin, shape ``(..., 2)``.
    square
        The squares of the reaches of both, summed over all rows' count: at most that, shape ``(...)``.
    """

    shares: Floats
    reach: Floats
    edges: Floats
    square: Floats

    @property
    def spread(self) -> Floats:
        """Give the summed variances of how far one row reaches beyond either edge: at most that."""
        spread: Floats = self.square - (self.reach**2).sum(axis=-1)
        return spread


@dataclass(frozen=True, slots=True)
class Scaled:
    """A sample over its rows: share and sum per bin, mean and variance of its finite values, from the origin and in σ."""

    shares: Floats
    sums: Floats
    mean: Floats
    variance: Floats
    infinite: Floats

    @classmethod
    def of(cls, sample: Binned, sigma: Floats, origin: Floats) -> Scaled:
        """Scale a sample; `sigma` and `origin` have shape ``(...)``."""
        rows = np.maximum(sample.counts.sum(axis=-1, dtype=np.float64), 1.0)
        variance, mean = np.asarray(sample.variance) / sigma / sigma, (np.asarray(sample.mean) - origin) / sigma
        shares, sums = sample.counts / rows[..., None], sample.sums / (rows * sigma)[..., None]
        return cls(shares, sums, mean, variance, np.maximum(1.0 - sample.count / rows, 0.0))

    def at(self, where: Flags) -> Scaled:
        """Keep the comparisons where `where` is true, as the only leading axis."""
        moments = (narrow(x, where) for x in (self.mean, self.variance, self.infinite))
        return Scaled(wide(self.shares, where), wide(self.sums, where), *moments)

    def inner(self, bins: Bins) -> Floats:
        """Bound the variance of the integral of one row's distribution over each closed bin, ``I (w - I)``; else 0."""
        integral = bins.ends * self.shares - self.sums
        integral[..., 1:] += bins.widths[..., 1:] * np.cumsum(self.shares, axis=-1)[..., :-1]
        return np.maximum(integral * (bins.widths - integral), 0.0)

    def closed(self, bins: Bins) -> Flags:
        """Tell which bins have values and two ends."""
        closed: Flags = ~bins.high & (self.shares > 0)
        closed[..., 0] = False
        return closed

    def closed_means(self, bins: Bins) -> Floats:
        """Give the mean of each bin that is `closed`, from the origin; 0 for the others, and where it is at the origin."""
        closed = self.closed(bins)
        return np.where(closed, self.sums / np.where(closed, self.shares, 1.0), 0.0)

    def tails(self, bins: Bins) -> Tails:
        """Give what the variance and the closed bins leave for the values beyond the outermost edges."""
        reach = bins.ends * self.shares - self.sums
        beyond = np.stack([reach[..., 0], -(reach * bins.high).sum(axis=-1)], axis=-1)
        shares = np.stack([self.shares[..., 0], (self.shares * bins.high).sum(axis=-1)], axis=-1)
        edges = np.stack([bins.ends[..., 0], bins.ends[..., -1]], axis=-1)
        out = edges * [-1.0, 1.0]  # from the origin outwards
        squares = np.einsum("...b,...b,...b->...", self.shares, *(self.closed_means(bins),) * 2)
        left = self.variance + self.mean**2 - squares - (2 * out * beyond + shares * out**2).sum(axis=-1)
        return Tails(shares, np.maximum(beyond, 0.0), edges, np.maximum(left, 0.0))


def narrow(numbers: Floats, where: Flags) -> Floats:
    """Select comparisons by a mask of the leading shape from numbers that broadcast with it."""
    return np.broadcast_to(numbers, where.shape)[where]


def wide(numbers: Array, where: Flags) -> Array:
    """Select comparisons by a mask of the leading shape from arrays with one axis more."""
    return np.broadcast_to(numbers, (*where.shape, numbers.shape[-1]))[where]
