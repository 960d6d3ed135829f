"""Unseen share: how many values are in no category that training kept."""

from __future__ import annotations

from numpy.typing import ArrayLike

from agent.stats.drift.effect import Effect
from agent.stats.drift.share_change import share_change


def unseen_share(
    unseen: ArrayLike,
    present: ArrayLike,
    reference_unseen: ArrayLike,
    reference_present: ArrayLike,
    alpha: float,
    overdispersion: ArrayLike = 1.0,
) -> Effect:
    """Difference of the unseen shares, current minus reference, with the lower bound of its magnitude.

    Parameters
    ----------
    unseen, reference_unseen
        Rows whose value is in no known category.
    present, reference_present
        All rows that have a value.
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
    >>> result = unseen_share([20, 0], 1000, 0, 50_000, 0.001)
    >>> result.value.round(4).tolist(), result.lower.round(4).tolist()
    ([0.02, 0.0], [0.0085, 0.0])
    """
    return share_change(unseen, present, reference_unseen, reference_present, alpha, overdispersion)
