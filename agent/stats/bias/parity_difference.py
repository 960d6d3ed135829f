"""Statistical parity difference: how much more often one group is selected than another.

``p - q``, the groups' selection rates; 0 is parity. Interval: Newcombe's square-and-add of the intervals of both shares
(Statistics in Medicine 17, 1998, method 10).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.bias.share_interval import Ends, Interval, broadcast, wilson


def parity_difference(
    selected: ArrayLike,
    rows: ArrayLike,
    other_selected: ArrayLike,
    other_rows: ArrayLike,
    alpha: ArrayLike,
    ends: Ends = wilson,
) -> Interval:
    """Difference of two selection rates, element by element.

    Parameters
    ----------
    selected, other_selected
        Rows with the favourable outcome, in [0, rows]; not necessarily whole.
    rows, other_rows
        Rows with an outcome, at least 0.
    alpha
        Two-sided error of the interval.
    ends
        The interval of one share: `wilson`, or `clopper_pearson` to decide by.

    Returns
    -------
    Interval
        In [-1, 1]; NaN, -1 and 1 where a group is empty.

    Examples
    --------
    >>> found = parity_difference(56, 70, 48, 80, 0.05)  # Newcombe's example (a): 0.0524 to 0.3339
    >>> found.value.round(4).item(), found.lower.round(4).item(), found.upper.round(4).item()
    (0.2, 0.0524, 0.3339)
    """
    count, n, other, m, level = broadcast(selected, rows, other_selected, other_rows, alpha)
    known = (n > 0) & (m > 0)
    p, q = count / np.maximum(n, 1e-300), other / np.maximum(m, 1e-300)
    (low, high), (other_low, other_high) = ends(count, n, level), ends(other, m, level)
    difference = p - q
    lower = difference - np.hypot(p - low, other_high - q)
    upper = difference + np.hypot(high - p, q - other_low)
    return Interval(
        np.where(known, difference, np.nan),
        np.where(known, np.maximum(lower, -1.0), -1.0),
        np.where(known, np.minimum(upper, 1.0), 1.0),
    )
