"""Population stability index: how far the shares of bins or categories moved."""

from __future__ import annotations

import numpy as np

from agent.stats.drift.bins import Counts, without_rare
from agent.stats.drift.divergence_bound import delta_spread, divergence_lower
from agent.stats.drift.effect import EMPTY_REFERENCE, EMPTY_WINDOW, Comparison, effect


def psi(current: Counts, reference: Counts, alpha: float) -> Comparison:
    """Compute the population stability index with its lower bound.

    ``sum((p - q) * ln(p / q))`` over the shares p of the window and q of training, natural logarithm, one row added to every
    bin of either sample so that an empty bin stays finite. Bins too rare in both samples are pooled first (`without_rare`).

    Parameters
    ----------
    current, reference
        Counts in the same bins, shape ``(bins,)``.
    alpha
        One-sided error of the bound.

    Returns
    -------
    Comparison
        At least 0, without upper limit; 0 with a single bin. Undefined where either sample is empty.

    References
    ----------
    Kullback and Leibler (1951), "J-divergence"; Siddiqi, "Credit Risk Scorecards" (2006); for the bound, `divergence_bound`.

    Examples
    --------
    >>> result = psi(np.array([299, 199, 99]), np.array([199, 199, 199]), 0.05)
    >>> round(result.value, 4)  # (1/6) ln(3/2) + (1/6) ln 2
    0.1831
    >>> round(result.lower, 4)
    0.0945
    >>> psi(np.array([0, 0]), np.array([5, 5]), 0.05)
    Undefined(reason='no values in the window')
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    if rows == 0:
        return EMPTY_WINDOW
    if reference_rows == 0:
        return EMPTY_REFERENCE
    current, reference = without_rare(current, reference)
    bins = len(current)
    p = (current + 1) / (rows + bins)
    q = (reference + 1) / (reference_rows + bins)
    log_ratio = np.log(p / q)
    value = float((p - q) @ log_ratio)
    spread = delta_spread(p, q, log_ratio + 1 - q / p, 1 - p / q - log_ratio, rows, reference_rows)
    return effect(value, divergence_lower(value, bins, rows, reference_rows, spread, alpha), rows, reference_rows)
