"""Equalised odds difference: the larger of the differences of true and of false positive rates, without its sign.

0 is parity: whoever has the same label is selected as often in both groups. Source: Hardt, Price and Srebro, NeurIPS 2016; the
larger of the two as in Fairlearn's ``equalized_odds_difference``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.bias.confusion import Confusion
from agent.stats.bias.equal_opportunity import equal_opportunity
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, Interval, wilson


def equalised_odds(group: Confusion, others: Confusion, alpha: ArrayLike, ends: Ends = wilson) -> Interval:
    """Larger of the differences of two groups' error rates, element by element; the error is shared over both differences.

    Parameters
    ----------
    group, others
        Their counts.
    alpha, ends
        As in `parity_difference`.

    Returns
    -------
    Interval
        In [0, 1]; the value is NaN where a group lacks rows with either label, and the bounds are what the other label says, or
        0 and 1.

    Examples
    --------
    >>> found = equalised_odds(Confusion(30, 20, 5, 45), Confusion(45, 5, 15, 35), 0.05)
    >>> found.value.round(2).item(), found.lower.round(2).item(), found.upper.round(2).item()
    (0.3, 0.11, 0.47)
    """
    half = np.asarray(alpha, dtype=np.float64) / 2
    right = equal_opportunity(group, others, half, ends)
    rows, other_rows = np.add(group.fp, group.tn), np.add(others.fp, others.tn)
    wrong = parity_difference(group.fp, rows, others.fp, other_rows, half, ends)
    least = [np.maximum(np.maximum(each.lower, -each.upper), 0.0) for each in (right, wrong)]
    most = [np.maximum(np.abs(each.lower), np.abs(each.upper)) for each in (right, wrong)]
    return Interval(np.maximum(np.abs(right.value), np.abs(wrong.value)), np.maximum(*least), np.maximum(*most))
