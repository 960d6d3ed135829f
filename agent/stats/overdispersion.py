"""How much less traffic says than its number of rows: bursts and repeated rows.

Counts of independent rows differ between two panes by what a multinomial allows. Traffic that comes in bursts, or repeats its
rows, differs by φ times as much (in variance), and n of its rows say no more than n/φ independent ones: the quasi-likelihood
of Wedderburn (1974), with Pearson's estimate of φ (McCullagh and Nelder, "Generalized Linear Models", §4.5).

φ is estimated between neighbouring panes, and the few pairs that differ most are left out. So neither a change in the middle of
the window (one pair) nor a slow wave (little in each pair) passes for burstiness; against a wave help the tolerances that are
learned from chunks of the training data.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr, chdtri

Floats = NDArray[np.float64]

PANE_ROWS = 30
"""Panes with fewer rows are put together first: a pair of them should not be all zeros and ones."""

FREEDOM = 12
"""With fewer degrees of freedom in all pairs together nothing is known: φ is 1. Three panes of deciles have 18."""

TRIMMED = 0.03
"""The share of the pairs, the most different ones, that is left out: two of sixty, where a change began and where it ended. More
would leave out the very bursts that matter."""


def overdispersion(counts: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    """Estimate φ of each column.

    ``X² = Σ (a/n - b/m)² / p * nm/(n+m)`` of two neighbouring panes, p the shares of both together, over its degrees of freedom;
    then the mean over pairs without the highest ones, divided by what that mean is for a chi-square variable.

    Parameters
    ----------
    counts
        Of successive panes in coarse bins or categories, shape ``(panes, C, cells)``.

    Returns
    -------
    phi
        Shape ``(C,)``, at least 1; 1 where there is too little to tell (`FREEDOM`).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> alone = rng.multinomial(200, [0.2] * 5, size=(60, 1))
    >>> float(overdispersion(alone)[0]) < 1.3
    True
    >>> float(overdispersion(4 * alone)[0]) > 3.2  # every row four times
    True
    """
    if counts.shape[0] < 2 or not counts.size:
        return np.ones(counts.shape[1])
    grouped = _grouped(counts)
    rows = grouped.sum(axis=-1, dtype=np.float64)
    n, m = rows[:-1], rows[1:]
    both = n + m
    a, b = grouped[:-1], grouped[1:]
    pooled = (a + b).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # (a/n - b/m)² / ((a+b)/(n+m)) * nm/(n+m), written without quotients of zeros
        away = np.square(a * m[..., None] - b * n[..., None]) / pooled
        chi_square = np.where(pooled > 0, away, 0.0).sum(axis=-1) / (n * m)
        freedom = (pooled > 0).sum(axis=-1) - 1.0
        ratio = np.where((freedom > 0) & (np.minimum(n, m) >= PANE_ROWS / 3) & (both > 0), chi_square / freedom, np.nan)
    return _trimmed(ratio, freedom)


def _grouped(counts: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64] | NDArray[np.int64]:
    """Put neighbouring panes together until half of them have `PANE_ROWS` rows in the column that has most."""
    typical = float(np.median(counts.sum(axis=-1).max(axis=-1)))
    size = max(1, math.ceil(PANE_ROWS / max(typical, 1.0)))
    if size == 1:
        return counts
    whole = counts.shape[0] // size * size
    return np.add.reduceat(counts[counts.shape[0] - whole :], np.arange(0, whole, size), axis=0) if whole else counts[:0]


def _trimmed(ratio: Floats, freedom: Floats) -> Floats:
    valid = np.count_nonzero(~np.isnan(ratio), axis=0)
    kept = np.maximum(valid - np.ceil(TRIMMED * valid), 0.0)
    ordered = np.sort(ratio, axis=0)  # NaN sorts to the end
    within = np.arange(len(ratio))[:, None] < kept
    mean = np.where(within, ordered, 0.0).sum(axis=0) / np.maximum(kept, 1.0)
    typical = np.where(~np.isnan(ratio), freedom, 0.0).sum(axis=0) / np.maximum(valid, 1)
    degrees = np.maximum(typical, 1.0)
    # of a chi-square variable X with d degrees: E[X; X <= q] = d * P(Y <= q), Y with d + 2 degrees
    kept_share = np.where(valid > 0, kept / np.maximum(valid, 1), 1.0)
    quantile = chdtri(degrees, np.clip(1.0 - kept_share, 1e-9, 1.0))
    expected = chdtr(degrees + 2, quantile) / np.maximum(kept_share, 1e-9)
    return np.where((valid > 1) & (valid * typical >= FREEDOM), np.maximum(mean / np.maximum(expected, 1e-9), 1.0), 1.0)
