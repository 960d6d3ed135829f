"""The lower confidence bound that PSI, Jensen-Shannon and chi-square share.

Each of them, scaled so that it starts like Pearson's chi-square, follows ``(1/n + 1/m) * X`` for two multinomial samples
of n and m rows in B bins, where X is noncentral chi-square with B - 1 degrees of freedom. Under no drift its mean is
``(B - 1)(1/n + 1/m)`` and not 0: that bias is why a fixed threshold flags everything in a small window. The bound inverts
the noncentrality, so the bias is taken off by itself.

Far from no drift the noncentral law understates the spread where shares are very unequal; there the delta method is
right. Near no drift the delta method's spread vanishes, and the noncentral law is right. So the smaller of both counts.

Sources: Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
Validation 14 (2020); Steiger, "Beyond the F test", Psychological Methods 9 (2004), for the inversion; Birgé, "An
alternative point of view on Lepski's method" (2001), Lemma 8.1, for the tail in closed form.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chndtrinc, ndtri

EXACT_UP_TO = 1000.0
"""Above this the exact inversion sums ever longer series (0.3 ms at 1e5), and Birgé's bound is within 8 % of it
(2 % from 1e4 on)."""

EXACT_DOWN_TO = 1e-12
"""Below this level ``1 - alpha`` is no longer told apart well enough from 1."""


def divergence_lower(value: float, bins: int, rows: int, reference_rows: int, spread: float, alpha: float) -> float:
    """Bound a divergence from below.

    Parameters
    ----------
    value
        The estimate, at least 0, scaled like Pearson's chi-square over the sample size.
    bins
        B, at least 1.
    rows, reference_rows
        n and m, at least 1.
    spread
        Its standard deviation by the delta method (`delta_spread`).
    alpha
        One-sided error of the bound, in (0, 1).

    Returns
    -------
    float
        In ``[0, value]``; 0 with a single bin.

    Examples
    --------
    >>> round(divergence_lower(0.4, 10, 1000, 10_000, 0.03, 0.05), 3)
    0.326
    >>> divergence_lower(0.4, 10, 50, 10_000, 0.03, 1e-4)  # fifty rows prove nothing
    0.0
    """
    if bins < 2:
        return 0.0
    scale = 1.0 / rows + 1.0 / reference_rows
    near = noncentrality_lower(value / scale, bins - 1, alpha) * scale
    far = value - (bins - 1) * scale + float(ndtri(alpha)) * spread
    return max(0.0, min(near, far))


def noncentrality_lower(x: float, df: int, alpha: float) -> float:
    """Lower confidence bound of the noncentrality of a chi-square variable that was seen once.

    The largest λ for which seeing `x` or more still has probability at most `alpha`. By numeric inversion where that is
    exact and quick, else by Birgé's inequality ``P(X >= df + λ + 2 sqrt((df + 2λ) t) + 2t) <= exp(-t)``, which is never
    above the exact bound, at any level.

    Parameters
    ----------
    x
        The value seen, at least 0.
    df
        Degrees of freedom, at least 1.
    alpha
        One-sided error, in (0, 1).

    Examples
    --------
    >>> round(noncentrality_lower(50.0, 9, 0.05), 3)
    22.45
    >>> noncentrality_lower(9.0, 9, 0.05)
    0.0
    """
    if chdtrc(df, x) >= alpha:
        return 0.0
    if x <= EXACT_UP_TO and alpha >= EXACT_DOWN_TO:
        exact = float(chndtrinc(x, df, 1.0 - alpha))
        if math.isfinite(exact):
            return min(x, max(0.0, exact))
    root = math.sqrt(max(0.0, 2.0 * x - df)) - 2.0 * math.sqrt(-math.log(alpha))
    return max(0.0, (root * root - df) / 2.0) if root > 0 else 0.0


def delta_spread(
    shares: NDArray[np.float64],
    reference_shares: NDArray[np.float64],
    slope: NDArray[np.float64],
    reference_slope: NDArray[np.float64],
    rows: int,
    reference_rows: int,
) -> float:
    """Give the standard deviation of a function of two samples' shares by the delta method.

    Parameters
    ----------
    shares, reference_shares
        Shape ``(bins,)``, each sums to 1.
    slope, reference_slope
        Derivatives of the function by each share, shape ``(bins,)``.
    rows, reference_rows
        Sample sizes, at least 1.

    Examples
    --------
    >>> half = np.array([0.5, 0.5])
    >>> round(delta_spread(half, half, np.array([1.0, 0.0]), np.zeros(2), 100, 100), 3)
    0.05
    """
    variance = max(0.0, float(shares @ slope**2 - (shares @ slope) ** 2)) / rows
    reference_variance = max(0.0, float(reference_shares @ reference_slope**2 - (reference_shares @ reference_slope) ** 2))
    return math.sqrt(variance + reference_variance / reference_rows)
