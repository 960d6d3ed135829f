"""How heavy the tails of a binned sample are: its kurtosis from counts and sums of bins and the variance.

Moments of fourth order are not kept. Inside the bins every value stands at its bin's
mean; what a wide one hides is put on the tails, which errs to the heavy side. Beyond the outermost edges three
figures are known: how many values, how far they reach on average, and (what the variance leaves for them) their mean
square. From these the fourth moment is continued as ``24 * mean**4 * r**6`` with ``r = square / (2 * mean**2)``: exact for an
exponential tail (r = 1), and growing with r as between the moments of lognormals. It is at least the square of
the mean square (Jensen), and at most what a single value of that square would give.
"""

from __future__ import annotations

import numpy as np

from agent.stats.drift.binned import Bins, Scaled, Tails
from agent.stats.drift.effect import Floats


def kurtosis(sample: Scaled, bins: Bins, count: Floats) -> Floats:
    """Estimate the kurtosis (3 for a Normal) of binned samples.

    Parameters
    ----------
    sample, bins
        The samples and their bins in any unit, leading shape ``(...)``.
    count
        How many finite values each has.

    Returns
    -------
    NDArray
        At least 1, at most the number of values; 1 where it can't be told.

    Examples
    --------
    >>> from agent.stats.drift.binned import Binned
    >>> edges, one, zero = np.linspace(-2, 2, 41), np.array(1.0), np.array(0.0)
    >>> x = np.random.default_rng(1).normal(size=100_000)
    >>> at = np.searchsorted(edges, x, side="right")
    >>> binned = Binned(np.array(x.size), x.mean(), x.var(), np.bincount(at, minlength=42), np.bincount(at, x, 42))
    >>> round(kurtosis(Scaled.of(binned, one, zero), Bins.of(edges, zero, one), np.array(1e5)).item(), 1)
    3.1
    """
    with np.errstate(all="ignore"):
        away = np.where(sample.closed(bins), sample.closed_means(bins) - sample.mean[..., None], 0.0) ** 2
        inside = np.einsum("...b,...b,...b->...", sample.shares, away, away)
        tails = sample.tails(bins)
        beyond = _fourth(tails, (tails.edges - sample.mean[..., None]) * [-1.0, 1.0], count)
        found = (inside + beyond) / sample.variance**2
    bounded: Floats = np.where(np.isfinite(found), np.clip(found, 1.0, np.maximum(count, 1.0)), 1.0)
    return bounded


def _fourth(tails: Tails, edges: Floats, count: Floats) -> Floats:
    """Continue the fourth moment about the mean of the values beyond the edges, which lie `edges` away from it."""
    shares = tails.shares
    first = tails.reach
    mean = first / np.where(shares > 0, shares, 1.0)
    r = (tails.square / (2 * (first * mean).sum(axis=-1)))[..., None]
    r = np.where(np.isfinite(r), r, 0.0)
    second = 2 * r * first * mean
    fourth = np.minimum(24 * first * mean**3 * r**6, count[..., None] * second**2)
    fourth = np.maximum(fourth, second**2 / np.where(shares > 0, shares, 1.0))
    third = np.minimum(6 * first * mean**2 * r**3, np.sqrt(second * fourth))
    about = fourth + 4 * edges * third + 6 * edges**2 * second + 4 * edges**3 * first + edges**4 * shares
    total: Floats = np.maximum(about, 0.0).sum(axis=-1)
    return total
