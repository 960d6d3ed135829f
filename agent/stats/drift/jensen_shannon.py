"""Jensen-Shannon distance: how far the shares of bins or categories moved, on a scale from 0 to 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from agent.stats.drift.bins import Counts, without_rare
from agent.stats.drift.divergence_bound import delta_spread, divergence_lower
from agent.stats.drift.effect import EMPTY_REFERENCE, EMPTY_WINDOW, Comparison, effect

CHI_SQUARE_SCALE = 8.0
"""Near no drift ``8 * JSD`` in nats starts like Pearson's chi-square over the sample size."""


def jensen_shannon(current: Counts, reference: Counts, alpha: float) -> Comparison:
    """Jensen-Shannon distance, base 2, with its lower bound.

    ``sqrt(JSD)`` with ``JSD = (KL(p || m) + KL(q || m)) / 2`` in bits and ``m = (p + q) / 2``. It is the distance, a metric,
    and not the divergence. Empty bins need no smoothing. Bins too rare in both samples are pooled first (`without_rare`).

    Parameters
    ----------
    current, reference
        Counts in the same bins, shape ``(bins,)``.
    alpha
        One-sided error of the bound.

    Returns
    -------
    Comparison
        In [0, 1], 1 where no bin is shared. Undefined where either sample is empty.

    References
    ----------
    Lin, IEEE Transactions on Information Theory 37 (1991); Endres and Schindelin (2003) for the metric; for the bound,
    `divergence_bound` on ``8 * JSD``, mapped back to the distance.

    Examples
    --------
    >>> result = jensen_shannon(np.array([300, 200, 100]), np.array([200, 200, 200]), 0.05)
    >>> round(result.value, 4), round(result.lower, 4)
    (0.1804, 0.1305)
    >>> jensen_shannon(np.array([10, 0]), np.array([0, 10]), 0.05).value
    1.0
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    if rows == 0:
        return EMPTY_WINDOW
    if reference_rows == 0:
        return EMPTY_REFERENCE
    current, reference = without_rare(current, reference)
    p, q = current / rows, reference / reference_rows
    middle = (p + q) / 2
    divergence = min(math.log(2), max(0.0, (_excess(p, middle) + _excess(q, middle)) / 2))
    spread = delta_spread(p, q, _slope(p, middle), _slope(q, middle), rows, reference_rows)
    scaled = CHI_SQUARE_SCALE * divergence
    lower = divergence_lower(scaled, len(p), rows, reference_rows, CHI_SQUARE_SCALE * spread, alpha)
    return effect(_distance(divergence), _distance(lower / CHI_SQUARE_SCALE), rows, reference_rows)


def _excess(p: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    # KL(p || middle) in nats; a bin that is empty in both is pooled away, so `middle` is never 0
    return float(np.sum(rel_entr(p, middle)))


def _slope(p: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    # d JSD / d p = ln(p / middle) / 2; where p is 0 the slope has no weight
    return np.log(np.where(p > 0, p / middle, 1.0)) / 2


def _distance(divergence: float) -> float:
    return math.sqrt(divergence / math.log(2))
