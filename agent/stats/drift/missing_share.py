"""Missing share: how much more, or less, is missing than in training."""

from __future__ import annotations

from agent.sketch.summary import Summary
from agent.stats.drift.effect import Comparison, Undefined, effect
from agent.stats.drift.proportion_bound import difference_lower


def missing_share(current: Summary, reference: Summary, alpha: float) -> Comparison:
    """Difference of the missing shares, current minus reference, with the lower bound of its magnitude (Newcombe).

    Parameters
    ----------
    current, reference
        Summaries of either kind.
    alpha
        Two-sided error of the bound.

    Returns
    -------
    Comparison
        In [-1, 1], negative where less is missing than in training. Undefined where either has no rows.

    References
    ----------
    For the bound, `proportion_bound`.

    Examples
    --------
    >>> import numpy as np
    >>> from agent.sketch.summary import CategorySummary
    >>> reference = CategorySummary(1000, 10, ("a",), np.array([990]), 0, 1.0)
    >>> current = CategorySummary(500, 100, ("a",), np.array([400]), 0, 1.0)
    >>> result = missing_share(current, reference, 0.05)
    >>> round(result.value, 4), round(result.lower, 4)
    (0.19, 0.1548)
    """
    if current.rows == 0:
        return Undefined("no rows in the window")
    if reference.rows == 0:
        return Undefined("no rows in training")
    difference = current.missing / current.rows - reference.missing / reference.rows
    lower = difference_lower(current.missing, current.rows, reference.missing, reference.rows, alpha)
    return effect(difference, float(lower[0]), current.rows, reference.rows)
