"""Shift of the mean in standard deviations of training: the z-score of the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtr, stdtrit

from agent.stats.drift.binned import narrow, sigma_of
from agent.stats.drift.effect import Effect, effect


def mean_shift(
    count: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    reference_count: ArrayLike,
    reference_mean: ArrayLike,
    reference_variance: ArrayLike,
    alpha: ArrayLike,
    overdispersion: ArrayLike = 1.0,
) -> Effect:
    """Shift of the mean over the standard deviation of training, with the lower bound of its magnitude.

    ``(mean - reference mean) / σ``, signed: positive where the values grew. The bound is Welch's interval with Student's
    quantile. As the window's variance the larger of its own and the reference's counts, with the degrees of freedom of that
    one: in a small window of rare events (hundred zeros of a flag that is set in 5 % of training) the own variance is 0 and
    would prove anything.

    Parameters
    ----------
    count, mean, variance
        Of the window's finite values, population variance.
    reference_count, reference_mean, reference_variance
        Of training. All six broadcast.
    alpha
        Two-sided error of the bound; broadcasts with the others.
    overdispersion
        Of the window; values below 1 count as 1. Broadcasts with the others.

    Returns
    -------
    Effect
        Any finite number; p-value of Welch's test with that variance and the effective size. NaN where the window has fewer
        than two effective values, training has fewer than two or only a single one, or a number is not finite.

    References
    ----------
    Welch, Biometrika 34 (1947); Glass (1976) for the unit.

    Examples
    --------
    >>> result = mean_shift([400, 400, 1], 5.0, 4.0, 10_000, 4.0, 4.0, 0.05, [1.0, 4.0, 1.0])
    >>> result.value.tolist(), result.lower.round(4).tolist()  # 0.5 - 1.96 * sqrt(1/399 + 1/9_999)
    ([0.5, 0.5, nan], [0.3999, 0.302, nan])
    """
    n, mu, var, m, nu, ref = (
        np.asarray(x, dtype=np.float64) for x in (count, mean, variance, reference_count, reference_mean, reference_variance)
    )
    sigma = sigma_of(m, nu, ref)
    effective = n / np.maximum(overdispersion, 1.0)
    with np.errstate(all="ignore"):
        shift = (mu - nu) / sigma
        # in units of σ², unbiased
        noise = np.maximum(var / sigma / sigma, 1.0) / (effective - 1)
        reference_noise = 1.0 / (m - 1)
        total = noise + reference_noise
        error = np.sqrt(total)
        defined = np.asarray((effective >= 2) & (m >= 2) & np.isfinite(shift) & np.isfinite(error))
        own = np.where(var > sigma * sigma, effective, m) - 1  # of the sample whose variance counts
        freedom = 1 / ((noise / total) ** 2 / own + (reference_noise / total) ** 2 / (m - 1))
        score = np.abs(shift) / error
        lower = np.zeros(defined.shape)
        half = np.asarray(alpha, dtype=np.float64) / 2
        # Student's quantile is beyond the Normal's, so that most need no more than a comparison
        suspect = np.asarray(defined & (score > -ndtri(half)))
        quantile = stdtrit(np.broadcast_to(freedom, suspect.shape)[suspect], narrow(half, suspect))
        score_of, error_of = (np.broadcast_to(x, suspect.shape)[suspect] for x in (score, error))
        lower[suspect] = np.maximum((score_of + quantile) * error_of, 0.0)
        p_value = 2 * stdtr(np.where(defined, freedom, 1.0), -np.where(defined, score, 0.0))
    return effect(shift, lower, n, m, defined, p_value)
