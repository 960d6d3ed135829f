"""Disparate impact: the ratio of one group's selection rate to another's.

``p / q``; 1 is parity, and below 0.8 is the four-fifths rule of the United States' Uniform Guidelines on Employee Selection
Procedures (29 CFR 1607.4 D). Interval: the method of variance estimates recovery (MOVER-R) of Donner and Zou (Statistical
Methods in Medical Research 21, 2012, eq. 9), with the interval of each share. Unlike Katz's logarithmic interval it is defined
where a count is 0, and it holds at small counts (Fagerland and Newcombe, Statistics in Medicine 32, 2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.bias.share_interval import Ends, Floats, Interval, broadcast, wilson


def impact_ratio(
    selected: ArrayLike,
    rows: ArrayLike,
    other_selected: ArrayLike,
    other_rows: ArrayLike,
    alpha: ArrayLike,
    ends: Ends = wilson,
) -> Interval:
    """Ratio of two selection rates, element by element; the arguments are those of `parity_difference`.

    Returns
    -------
    Interval
        In [0, inf]. The value is infinite where only the others are never selected, and NaN where a group is empty or nobody is
        selected; the interval is then 0 to infinity.

    Examples
    --------
    >>> found = impact_ratio(30, 100, 50, 100, 0.05)
    >>> found.value.round(2).item(), found.lower.round(2).item(), found.upper.round(2).item()
    (0.6, 0.42, 0.85)
    >>> impact_ratio(0, 50, 20, 50, 0.05).upper.round(2).item()
    0.19
    """
    count, n, other, m, level = broadcast(selected, rows, other_selected, other_rows, alpha)
    known = (n > 0) & (m > 0) & ((count > 0) | (other > 0))
    p, q = count / np.maximum(n, 1e-300), other / np.maximum(m, 1e-300)
    (low, high), (other_low, other_high) = ends(count, n, level), ends(other, m, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = p / q
        # The roots of a quadratic; the lower one is written so that nothing cancels or is divided by zero.
        both = p * q
        first, second = low * (2 * p - low), other_high * (2 * q - other_high)
        lower = first / (both + _root(both, first, second))
        first, second = high * (2 * p - high), other_low * (2 * q - other_low)
        upper = np.where(second > 0, (both + _root(both, first, second)) / second, np.inf)
    return Interval(
        np.where(known, value, np.nan),
        np.where(known & (low > 0), lower, 0.0),
        np.where(known, upper, np.inf),
    )


def _root(both: Floats, first: Floats, second: Floats) -> Floats:
    return np.sqrt(np.maximum(both * both - first * second, 0.0))
