"""Shift of the mean in standard deviations of training: the z-score of the mean."""

from __future__ import annotations

import math

from scipy.special import stdtr, stdtrit

from agent.sketch.summary import NumericSummary, Summary
from agent.stats.drift.effect import (
    CONSTANT_REFERENCE,
    DIFFERENT_BINS,
    EMPTY_REFERENCE,
    EMPTY_WINDOW,
    NOT_FINITE,
    Comparison,
    Undefined,
    effect,
)

ROUNDING = 1e-12
"""A standard deviation below this part of the mean is rounding, not spread."""


def reference_sigma(reference: NumericSummary) -> float | Undefined:
    """Give the standard deviation of the reference (σ), the unit of this statistic and of the Wasserstein distance."""
    if reference.count == 0:
        return EMPTY_REFERENCE
    if not (math.isfinite(reference.mean) and math.isfinite(reference.variance)):
        return NOT_FINITE
    sigma = math.sqrt(max(0.0, reference.variance))
    return CONSTANT_REFERENCE if sigma <= ROUNDING * abs(reference.mean) else sigma


def mean_shift(current: Summary, reference: Summary, alpha: float) -> Comparison:
    """Shift of the mean over the standard deviation of training, with the lower bound of its magnitude.

    ``(mean - reference mean) / σ``, signed: positive where the values grew. The bound is Welch's interval with Student's
    quantile. As the window's variance the larger of its own and the reference's counts: in a small window of rare
    events (hundred zeros of a flag that is set in 5 % of training) the own variance is 0 and would prove anything.

    Parameters
    ----------
    current, reference
        Numeric summaries; only finite values count.
    alpha
        Two-sided error of the bound.

    Returns
    -------
    Comparison
        Any finite number; p-value of Welch's test with that variance. Undefined where the window has fewer than two values,
        or training has fewer or only a single one.

    References
    ----------
    Welch, Biometrika 34 (1947); Glass (1976) for the unit.

    Examples
    --------
    >>> import numpy as np
    >>> def summary(count, mean, variance):
    ...     none, one = np.empty(0), np.array([count])
    ...     return NumericSummary(count, 0, 0, count, mean, variance, 0.0, 9.0, none, one, np.array([0]), none, none)
    >>> result = mean_shift(summary(400, 5.0, 4.0), summary(10_000, 4.0, 4.0), 0.05)
    >>> round(result.value, 4), round(result.lower, 4)  # 0.5 - 1.9657 * sqrt(1/400 + 1/10_000), about
    (0.5, 0.3997)
    """
    if not (isinstance(current, NumericSummary) and isinstance(reference, NumericSummary)):
        return DIFFERENT_BINS
    if current.count == 0:
        return EMPTY_WINDOW
    if min(current.count, reference.count) < 2:
        return Undefined("a single value has no spread")
    sigma = reference_sigma(reference)
    if isinstance(sigma, Undefined):
        return sigma
    n, m = current.count, reference.count
    shift = (current.mean - reference.mean) / sigma
    # in units of σ², unbiased
    noise = max(current.variance / sigma / sigma, 1.0) / (n - 1)
    reference_noise = 1.0 / (m - 1)
    error = math.sqrt(noise + reference_noise)
    if not (math.isfinite(shift) and math.isfinite(error)):
        return NOT_FINITE
    freedom = 1 / (
        (noise / (noise + reference_noise)) ** 2 / (n - 1) + (reference_noise / (noise + reference_noise)) ** 2 / (m - 1)
    )
    lower = abs(shift) + float(stdtrit(freedom, alpha / 2)) * error
    return effect(shift, lower, n, m, 2 * float(stdtr(freedom, -abs(shift) / error)))
