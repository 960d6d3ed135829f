"""Which pairs of columns go together otherwise than in training: Pearson's r now and then, with a bound for every pair.

``lower = |r₁ - r₂| - sqrt(h₁² + h₂²)``, with half an interval h for each r from its distribution-free variance v
(`agent.joint.correlation`). Not on Fisher's scale: among discrete columns a few rows can all agree, and there r = 1 is infinitely
far from 0.999.

What makes the bound honest where rows are few and alphas small:

- The variance of the window's r is the larger one of its own estimate and of training's. With 200 rows its own comes from a
  handful of rows that matter; if nothing changed, training's is the true one.
- h is Bernstein's, ``c q²/2n + sqrt((c q²/2n)² + v q²/n)``, with the pair's own tail scale c from training and
  q², the squared normal quantile, in place of ``2 ln(1/alpha)``. For large n that is the normal ``q sqrt(v/n)``.
- A pair is compared only where both columns have the support of `SUPPORT` rows at least: rows over kurtosis, which for the
  indicator of a rare category is about the rows that have it.
- alpha is shared by all pairs that are compared (Bonferroni), two-sided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from agent.joint.correlation import Correlation, ReferenceCorrelation

Floats = NDArray[np.float64]

SUPPORT = 8.0
"""Rows over kurtosis that a column needs, after overdispersion; with fewer rows of a category its r is a matter of chance."""


@dataclass(frozen=True, slots=True)
class CorrelationChange:
    """How far all correlations moved, shape ``(..., d, d)``, symmetric.

    Parameters
    ----------
    now
        r in the window, NaN where undefined.
    value
        ``r now - r in training``, in [-2, 2]; 0 for a pair that is not compared.
    lower
        What ``abs(value)`` is at least, for all pairs together: ``0 <= lower <= abs(value)``.
    """

    now: Floats
    value: Floats
    lower: Floats


def correlation_change(
    now: Correlation, reference: ReferenceCorrelation, alpha: float, overdispersion: Floats | float = 1.0
) -> CorrelationChange:
    """Bound the change of every correlation.

    Parameters
    ----------
    now
        Of the window, shape ``(..., d, d)``.
    reference
        Of training.
    alpha
        The chance, over all pairs of one leading place, that some `lower` exceeds the true change.
    overdispersion
        By how much the rows are fewer than they seem, at least 1, shape ``(...)``.

    Returns
    -------
    CorrelationChange
        All 0 without rows. Cost: 0.3 ms for 64 columns.

    Examples
    --------
    >>> from agent.joint.correlation import correlation_of, tail_of
    >>> from agent.joint.moments import CrossMoments
    >>> def sums(r, rows):
    ...     x, y = np.random.default_rng(1).standard_normal((2, rows))
    ...     moments = CrossMoments(2)
    ...     moments.update(np.column_stack([x, r * x + (1 - r * r) ** 0.5 * y]))
    ...     return correlation_of(moments.result())
    >>> then = sums(0.7, 50_000)
    >>> training = ReferenceCorrelation(50_000, then.r, then.variance, np.full((2, 2), 0.4), ~np.eye(2, dtype=bool))
    >>> change = correlation_change(sums(-0.7, 200), training, 1e-8)
    >>> print(change.value[0, 1].round(2), change.lower[0, 1].round(2))
    -1.4 1.14
    """
    n = (now.rows / overdispersion)[..., None, None]
    supported = n[..., 0] >= SUPPORT * now.kurtosis  # False where the kurtosis is NaN
    used = supported[..., :, None] & supported[..., None, :] & reference.compared & np.isfinite(reference.r)
    pairs = max(1, int((reference.compared & np.isfinite(reference.r)).sum()) // 2)
    q2 = float(ndtri(alpha / pairs / 2)) ** 2
    then, r = np.where(used, reference.r, 0.0), np.where(used, now.r, 0.0)
    variance_then = np.where(used, reference.variance, 1.0)
    variance, tail = np.where(used, now.variance, 1.0), np.where(used, reference.tail, 0.0)
    n, n_then = np.maximum(n - 3, 1.0), np.asarray(max(1.0, reference.rows - 3.0))
    plain = _margin(np.maximum(variance, variance_then), tail, n, q2)
    gap = np.hypot(plain, _margin(variance_then, tail, n_then, q2))
    lower = np.where(used, np.maximum(np.abs(r - then) - gap, 0.0), 0.0)
    return CorrelationChange(np.broadcast_to(now.r, used.shape), np.where(used, r - then, 0.0), lower)


def _margin(variance: Floats, tail: Floats, n: Floats, q2: float) -> Floats:
    drag = tail * q2 / (2 * n)
    return np.asarray(drag + np.sqrt(drag**2 + variance * q2 / n))
