"""Missing share: how much more, or less, is missing than in training."""

from __future__ import annotations

from numpy.typing import ArrayLike

from agent.stats.drift.effect import Effect
from agent.stats.drift.share_change import share_change


def missing_share(
    missing: ArrayLike,
    rows: ArrayLike,
    reference_missing: ArrayLike,
    reference_rows: ArrayLike,
    alpha: float,
    overdispersion: ArrayLike = 1.0,
) -> Effect:
    """Difference of the missing shares, current minus reference, with the lower bound of its magnitude.

    Parameters
    ----------
    missing, reference_missing
        Rows without a value.
    rows, reference_rows
        All rows.
    alpha
        Two-sided error of the bound.
    overdispersion
        Of the window's count. All arguments broadcast.

    Returns
    -------
    Effect
        In [-1, 1], negative where there is less than in training. NaN where either has none of the rows.

    References
    ----------
    Newcombe, Statistics in Medicine 17 (1998); see `proportion_bound`.

    Examples
    --------
    >>> result = missing_share([100, 10], 500, 10, 1000, 0.05)
    >>> result.value.round(4).tolist(), result.lower.round(4).tolist()
    ([0.19, 0.01], [0.1548, 0.0])
    """
    return share_change(missing, rows, reference_missing, reference_rows, alpha, overdispersion)
